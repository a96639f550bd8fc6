// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Gives BTF to the kernel, and programs that need no maps with their types of functions. Arguments: files with BTF, each
 * followed by one with slots and one with records of struct bpf_func_info, or by "-" "-". Prints "ok" or the error number for
 * each. Exit code 77: bpf(2) cannot be used here.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *slurp(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(1 << 24);

	*length = 0;
	if (!file || !bytes)
		exit(1);
	*length = fread(bytes, 1, 1 << 24, file);
	fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	int probe = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	if (probe < 0)
		return 77;
	for (int i = 1; i + 2 < argc; i += 3) {
		size_t btf_length, insns_length, info_length;
		char *btf = slurp(argv[i], &btf_length);
		int fd = bpf_btf_load(btf, btf_length, NULL);

		if (fd >= 0 && strcmp(argv[i + 1], "-")) {
			LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_btf_fd = fd);
			char *insns = slurp(argv[i + 1], &insns_length);

			opts.func_info = slurp(argv[i + 2], &info_length);
			opts.func_info_rec_size = 8;
			opts.func_info_cnt = info_length / 8;
			fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "p", "GPL", (void *)insns, insns_length / 8, &opts);
		}
		if (fd < 0)
			printf("%s: error %d\n", argv[i], errno);
		else
			printf("ok\n");
	}
	return 0;
}
