/*
 * The C interface: maps the users of a folder that `bench workload` wrote, or calls a function that does nothing, and
 * prints the rate, or the nanoseconds a call, as one line of JSON.
 *
 *     mapping render FOLDER N
 *     mapping noop FOLDER N
 */
#define _POSIX_C_SOURCE 200809L
#include "rollkeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000, LONGEST = 4096 };

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The lines of a file, without their ends. */
static size_t lines_of(const char *folder, const char *name, char *lines[MOST])
{
    static char line[LONGEST];
    snprintf(line, sizeof line, "%s/%s", folder, name);
    FILE *file = fopen(line, "rb");
    must(file != NULL, "the workload cannot be read");
    size_t count = 0;
    while (count < MOST && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        must((lines[count++] = strdup(line)) != NULL, "no memory");
    }
    fclose(file);
    return count;
}

static double render(const char *folder, long n)
{
    static char *rules[MOST], *users[MOST], *accounts[MOST], text[LONGEST];
    static size_t lengths[MOST];
    must(lines_of(folder, "mapping.json", rules) == 1, "there is no mapping");
    size_t count = lines_of(folder, "users.ndjson", users), length = 0;
    must(count > 0 && lines_of(folder, "accounts.ndjson", accounts) == count, "there are no users");
    rollkeeper_mapping *mapping = NULL;
    must(rollkeeper_mapping_compile(rules[0], strlen(rules[0]), &mapping, NULL) == ROLLKEEPER_OK, "not compiled");
    for (size_t place = 0; place < count; place++) {
        lengths[place] = strlen(users[place]);
        rollkeeper_status status = rollkeeper_mapping_render(mapping, users[place], lengths[place], NULL, text,
                                                             sizeof text, &length, NULL);
        must(status == ROLLKEEPER_OK && strcmp(text, accounts[place]) == 0, "a user is mapped wrongly");
    }
    double start = now();
    for (long done = 0; done < n; done++) {
        size_t place = (size_t)done % count;
        must(rollkeeper_mapping_render(mapping, users[place], lengths[place], NULL, text, sizeof text, &length, NULL) ==
                 ROLLKEEPER_OK,
             "a user is not mapped");
    }
    double seconds = now() - start;
    rollkeeper_mapping_free(mapping);
    return (double)n / seconds;
}

static double no_op(long n)
{
    uint64_t sum = 0;
    double start = now();
    for (long done = 0; done < n; done++)
        sum += rollkeeper_abi_version();
    double seconds = now() - start;
    must(sum == (uint64_t)n * ROLLKEEPER_ABI_VERSION, "the library is of another version");
    return seconds * 1e9 / (double)n;
}

int main(int argc, char **argv)
{
    must(argc == 4, "mapping render|noop FOLDER N");
    long n = atol(argv[3]);
    must(n > 0, "N is a number");
    double rate = strcmp(argv[1], "noop") == 0 ? no_op(n) : render(argv[2], n);
    printf("{\"name\":\"%s\",\"n\":%ld,\"rate\":%.17g}\n", argv[1], n, rate);
    return 0;
}
