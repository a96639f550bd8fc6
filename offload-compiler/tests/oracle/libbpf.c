// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Loads objects with libbpf and prints what it makes of their XDP programs:
 * "object PATH", "map NAME FD" and "program NAME HEX", one slot is 16 digits.
 * Exit code 77: bpf(2) cannot be used here.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static int show(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object) {
		fprintf(stderr, "%s does not open\n", path);
		return 1;
	}
	/* libbpf 1.0 and later know the type of exact names only. */
	bpf_object__for_each_program(program, object)
		if (!strncmp(bpf_program__section_name(program), "xdp", 3))
			bpf_program__set_type(program, BPF_PROG_TYPE_XDP);
		else
			bpf_program__set_autoload(program, false);
	bpf_object__for_each_map(map, object)
		bpf_map__set_pin_path(map, NULL);
	/* A program that the verifier refuses is relocated all the same. */
	bpf_object__load(object);
	printf("object %s\n", path);
	bpf_object__for_each_map(map, object) {
		const char *name = bpf_map__name(map), *dot = strchr(name, '.');

		/* Global data: libbpf puts the object's name in front of the section's. */
		printf("map %s %d\n", dot ? dot : name, bpf_map__fd(map));
	}
	bpf_object__for_each_program(program, object) {
		const unsigned char *bytes = (const void *)bpf_program__insns(program);
		size_t size = bpf_program__insn_cnt(program) * 8;

		if (bpf_program__type(program) != BPF_PROG_TYPE_XDP)
			continue;
		printf("program %s ", bpf_program__name(program));
		for (size_t i = 0; i < size; i++)
			printf("%02x", bytes[i]);
		printf("\n");
	}
	/* Descriptors stay open, so that no two objects share a number. */
	return 0;
}

int main(int argc, char **argv)
{
	int probe = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	if (probe < 0)
		return 77;
	libbpf_set_print(silent);
	for (int i = 1; i < argc; i++)
		if (show(argv[i]))
			return 1;
	return 0;
}
