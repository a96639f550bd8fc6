// SPDX-License-Identifier: Apache-2.0 OR MIT OR GPL-2.0-only
/*
 * Loads objects with libbpf and prints what it makes of their XDP programs:
 * "object PATH", "map NAME FD TYPE KEY VALUE ENTRIES FLAGS" as the kernel has it, "inner MAP TYPE KEY VALUE ENTRIES FLAGS",
 * "contents MAP HEX" of global data, "element MAP KEY NAME" for what stands in program arrays and maps of maps, and "program NAME HEX", one slot is 16 digits.
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

/* Name of the program or map that stands in a map, as the kernel has it (15 characters). */
static void element(const char *map, int is_program, __u32 key, __u32 id)
{
	struct bpf_prog_info program = {};
	struct bpf_map_info other = {};
	__u32 length = is_program ? sizeof(program) : sizeof(other);
	int fd = is_program ? bpf_prog_get_fd_by_id(id) : bpf_map_get_fd_by_id(id);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, is_program ? (void *)&program : (void *)&other, &length))
		return;
	printf("element %s %u %s\n", map, key, is_program ? program.name : other.name);
}

static void show_map(struct bpf_map *map)
{
	const char *name = bpf_map__name(map), *dot = strchr(name, '.');
	int fd = bpf_map__fd(map);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), key, next, value;
	static unsigned char contents[4096];
	int is_program;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return;
	/* Global data: libbpf puts the object's name in front of the section's. */
	name = dot ? dot : name;
	printf("map %s %d %u %u %u %u %u\n", name, fd, info.type, info.key_size, info.value_size, info.max_entries,
	       info.map_flags);
	if (dot && info.value_size <= sizeof(contents)) {
		key = 0;
		if (!bpf_map_lookup_elem(fd, &key, contents)) {
			printf("contents %s ", name);
			for (size_t i = 0; i < info.value_size; i++)
				printf("%02x", contents[i]);
			printf("\n");
		}
	}
	is_program = info.type == BPF_MAP_TYPE_PROG_ARRAY;
	if (!is_program && info.type != BPF_MAP_TYPE_ARRAY_OF_MAPS && info.type != BPF_MAP_TYPE_HASH_OF_MAPS)
		return;
	if (info.key_size != 4)
		return;
	for (int rc = bpf_map_get_next_key(fd, NULL, &next); !rc; rc = bpf_map_get_next_key(fd, &key, &next)) {
		key = next;
		if (!bpf_map_lookup_elem(fd, &key, &value))
			element(name, is_program, key, value);
	}
}

static int show(const char *path)
{
	/* For variables in section .kconfig. */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kconfig = "CONFIG_OFFWIRE_LIMIT=77\nCONFIG_OFFWIRE_FAST=y\n");
	struct bpf_object *object = bpf_object__open_file(path, &opts);
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
	printf("object %s\n", path);
	bpf_object__for_each_map(map, object) {
		struct bpf_map *inner = bpf_map__inner_map(map);

		if (inner)
			printf("inner %s %u %u %u %u %u\n", bpf_map__name(map), bpf_map__type(inner),
			       bpf_map__key_size(inner), bpf_map__value_size(inner), bpf_map__max_entries(inner),
			       bpf_map__map_flags(inner));
	}
	/* A program that the verifier refuses is relocated all the same. */
	bpf_object__load(object);
	bpf_object__for_each_map(map, object)
		show_map(map);
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
