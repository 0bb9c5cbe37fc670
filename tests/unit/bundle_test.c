/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What travels beside a configuration: as it was put in, and as somebody hostile may have written
 * it. */
#include "fabric/control/bundle.h"

#include "tests/unit/support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
expect_item(const struct bundle *b, const char *node, enum bundle_kind kind, const void *bytes,
	size_t len)
{
	const struct bundle_item *item = bundle_get(b, node, kind);

	assert_non_null(item);
	assert_int_equal(item->kind, kind);
	assert_int_equal(item->len, len);
	assert_memory_equal(item->bytes, bytes, len);
	assert_int_equal(item->bytes[len], '\0');
}

static void
put_in_and_taken_out(void **state)
{
	struct bundle b = {0};
	char text[] = "create a hash:ip";

	(void)state;
	assert_null(bundle_get(&b, "VM1", BUNDLE_RULES));
	assert_int_equal(bundle_set(&b, "VM1", BUNDLE_RULES, "\1\0\2", 3), 0);
	assert_int_equal(bundle_set(&b, "VM1", BUNDLE_SETS, text, strlen(text)), 0);
	assert_int_equal(bundle_set(&b, "VM2", BUNDLE_RULES, "", 0), 0);
	memset(text, 'x', sizeof(text)); /* it was copied */
	assert_int_equal(b.n, 3);
	expect_item(&b, "vm1", BUNDLE_RULES, "\1\0\2", 3);
	expect_item(&b, "Vm1", BUNDLE_SETS, "create a hash:ip", 16);
	expect_item(&b, "VM2", BUNDLE_RULES, "", 0);
	assert_null(bundle_get(&b, "VM2", BUNDLE_SETS));
	assert_null(bundle_get(&b, "VM", BUNDLE_RULES));

	assert_int_equal(bundle_set(&b, "vm1", BUNDLE_RULES, "other", 5), 0);
	assert_int_equal(b.n, 3);
	expect_item(&b, "VM1", BUNDLE_RULES, "other", 5);
	assert_int_equal(bundle_set(&b, "VM1", BUNDLE_RULES, NULL, 0), 0);
	assert_int_equal(bundle_set(&b, "VM1", BUNDLE_RULES, NULL, 0), 0);
	assert_int_equal(b.n, 2);
	assert_null(bundle_get(&b, "VM1", BUNDLE_RULES));
	expect_item(&b, "VM1", BUNDLE_SETS, "create a hash:ip", 16);
	expect_item(&b, "VM2", BUNDLE_RULES, "", 0);
	bundle_fini(&b);
	assert_int_equal(b.n, 0);
}

/* Writes it and reads it again, through a descriptor that others have read before. */
static void
expect_the_same(const struct bundle *b)
{
	struct bundle copy;
	int fd = bundle_write(b);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_true(lseek(fd, 3, SEEK_SET) == 3);
	assert_int_equal(bundle_read(fd, &copy), 0);
	assert_int_equal(copy.n, b->n);
	for (size_t i = 0; i < b->n; i++)
		expect_item(&copy, b->items[i].node, b->items[i].kind, b->items[i].bytes,
			b->items[i].len);
	bundle_fini(&copy);
	close(fd);
}

static void
written_and_read(void **state)
{
	struct bundle b = {0};
	uint8_t *big = malloc(3 << 20);

	(void)state;
	expect_the_same(&b);
	for (size_t i = 0; i < 3 << 20; i++)
		big[i] = (uint8_t)(i * 7);
	bundle_set(&b, "LONGNAME", BUNDLE_RULES, big, 3 << 20);
	bundle_set(&b, "A", BUNDLE_SETS, "", 0);
	bundle_set(&b, "A", BUNDLE_RULES, "x", 1);
	bundle_set(&b, "LONGNAME", BUNDLE_SETS, "create s hash:ip\n", 17);
	expect_the_same(&b);
	bundle_fini(&b);
	free(big);
}

static int
file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

/* => what bundle_read() says; a bundle that it takes must be sound, one that it refuses empty. */
static int
read_back(const void *bytes, size_t len)
{
	struct bundle b = {.n = 99};
	int fd = file_of(bytes, len), rc = bundle_read(fd, &b);

	close(fd);
	if (rc < 0) {
		assert_int_equal(b.n, 0);
		assert_null(b.items);
		return rc;
	}
	for (size_t i = 0; i < b.n; i++) {
		assert_non_null(memchr(b.items[i].node, '\0', NODE_NAME));
		assert_true(b.items[i].kind < BUNDLE_KINDS && b.items[i].len < len);
		expect_item(&b, b.items[i].node, b.items[i].kind, b.items[i].bytes, b.items[i].len);
	}
	bundle_fini(&b);
	return rc;
}

struct written {
	uint8_t *bytes;
	size_t len;
};

static struct written
written(const struct bundle *b)
{
	struct written w;
	int fd = bundle_write(b);

	assert_int_equal(bytes_read(fd, &w.bytes, &w.len), 0);
	close(fd);
	return w;
}

static struct written
two_items(const char *first, const char *second)
{
	struct bundle b = {0};
	struct written w;

	bundle_set(&b, first, BUNDLE_RULES, "rules", 5);
	bundle_set(&b, second, BUNDLE_RULES, "more rules", 10);
	w = written(&b);
	bundle_fini(&b);
	return w;
}

/* Cut anywhere but between items it is none; behind the magic, it is one without items. */
static void
cut_short(void **state)
{
	struct written w = two_items("ONE", "TWO");
	size_t head = (w.len - 8 - 15) / 2;

	(void)state;
	for (size_t len = 0; len <= w.len; len++) {
		bool whole = len == 8 || len == 8 + head + 5 || len == w.len;

		assert_int_equal(read_back(w.bytes, len), whole ? 0 : -EBADMSG);
	}
	free(w.bytes);
}

/* Offsets from an item's head, whose size follows from the file's. */
static void
hostile_heads(void **state)
{
	struct written w = two_items("ONE", "TWO");
	size_t head = (w.len - 8 - 15) / 2, len_at = 8 + head - sizeof(uint64_t);
	const uint64_t lens[] = {
		w.len, w.len - 8 - head + 1, UINT64_MAX, UINT64_MAX - 64, 1ull << 63, 1ull << 32};
	const uint64_t right = 5;
	uint64_t len;

	(void)state;
	memcpy(&len, w.bytes + len_at, sizeof(len));
	assert_int_equal(len, right);
	for (size_t i = 0; i < RTE_DIM(lens); i++) {
		memcpy(w.bytes + len_at, &lens[i], sizeof(len));
		assert_int_equal(read_back(w.bytes, w.len), -EBADMSG);
	}
	memcpy(w.bytes + len_at, &right, sizeof(right));
	w.bytes[8 + NODE_NAME] = BUNDLE_KINDS;
	assert_int_equal(read_back(w.bytes, w.len), -EBADMSG);
	w.bytes[8 + NODE_NAME] = BUNDLE_SETS;
	assert_int_equal(read_back(w.bytes, w.len), 0);
	w.bytes[8 + NODE_NAME] = BUNDLE_RULES;
	memset(w.bytes + 8, 'N', NODE_NAME); /* a name without end */
	assert_int_equal(read_back(w.bytes, w.len), -EBADMSG);
	memcpy(w.bytes + 8, "two", 4); /* another TWO follows */
	assert_int_equal(read_back(w.bytes, w.len), -EBADMSG);
	w.bytes[0] ^= 1;
	assert_int_equal(read_back(w.bytes, w.len), -EBADMSG);
	free(w.bytes);
}

static void
any_bytes(void **state)
{
	struct written w = two_items("ONE", "TWO");
	uint8_t *bytes = malloc(w.len);
	struct test_env t;

	(void)state;
	test_env_init(&t, test_seed());
	for (int i = 0; i < 3000; i++) {
		uint32_t changes = 1 + env_random(&t.env) % 8;
		int rc;

		memcpy(bytes, w.bytes, w.len);
		while (changes--)
			bytes[env_random(&t.env) % w.len] = (uint8_t)env_random(&t.env);
		rc = read_back(bytes, w.len);
		assert_true(rc == 0 || rc == -EBADMSG);
	}
	assert_int_equal(test_env_fini(&t), 0);
	free(bytes);
	free(w.bytes);
}

static void
no_file_of_bytes(void **state)
{
	struct bundle b = {.n = 99};
	int pipes[2], fd = memfd_create("test", MFD_CLOEXEC);
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(bundle_read(pipes[0], &b), -EBADMSG);
	assert_int_equal(b.n, 0);
	assert_int_equal(bytes_read(pipes[0], &bytes, &len), -EBADMSG);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(bundle_read(pipes[0], &b), -EBADF);
	assert_int_equal(ftruncate(fd, BUNDLE_MAX + 1ll), 0);
	assert_int_equal(bundle_read(fd, &b), -EFBIG);
	assert_int_equal(bytes_read(fd, &bytes, &len), -EFBIG);
	close(fd);
}

static void
bytes_alone(void **state)
{
	int fd = bytes_write("ab\0c", 4);
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bytes_read(fd, &bytes, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(bytes, "ab\0c", 5);
	free(bytes);
	close(fd);
	fd = bytes_write("", 0);
	assert_int_equal(bytes_read(fd, &bytes, &len), 0);
	assert_int_equal(len, 0);
	free(bytes);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_in_and_taken_out),
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(hostile_heads),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(no_file_of_bytes),
		cmocka_unit_test(bytes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
