/* What every test program here needs: checks that say where they failed, and calls that must succeed. */
#ifndef CHECK_H
#define CHECK_H

#include "rollkeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends the program where a condition does not hold. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Ends the program where a call that was given `&error` failed. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        rollkeeper_error *error = NULL;                                                            \
        rollkeeper_status must_status = (call);                                                    \
        if (must_status != ROLLKEEPER_OK) {                                                        \
            fprintf(stderr, "%s:%d: %d %s: %s\n", __FILE__, __LINE__, (int)must_status,            \
                    rollkeeper_error_code(error), rollkeeper_error_message(error));                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Ends the program where a call that was given `&error` did not fail in the expected way; its message must name `place`. */
#define FAILS(expected, place, call)                                                               \
    do {                                                                                           \
        rollkeeper_error *error = NULL;                                                            \
        rollkeeper_status fails_status = (call);                                                   \
        if (fails_status != (expected) || error == NULL ||                                         \
            rollkeeper_error_number(error) != (expected) ||                                        \
            strstr(rollkeeper_error_message(error), (place)) == NULL) {                            \
            fprintf(stderr, "%s:%d: expected %s naming %s, got %d: %s\n", __FILE__, __LINE__,       \
                    #expected, (place), (int)fails_status,                                         \
                    error == NULL ? "no error" : rollkeeper_error_message(error));                 \
            exit(1);                                                                               \
        }                                                                                          \
        rollkeeper_error_free(error);                                                              \
    } while (0)

/* A document that is written out in the program. */
#define DOCUMENT(text) (text), strlen(text)

/* Takes the text of a call over and frees it at the end of the program's check. */
static inline void must_contain(char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL) {
        fprintf(stderr, "no %s in %s\n", part, text == NULL ? "NULL" : text);
        exit(1);
    }
    rollkeeper_string_free(text);
}

/* Counts the records of an iterator, of which each must hold `part`, and frees it. */
static inline int count_records(rollkeeper_iterator *iterator, const char *part)
{
    int count = 0;
    for (;;) {
        char *record = NULL;
        rollkeeper_error *error = NULL;
        rollkeeper_status status = rollkeeper_iterator_next(iterator, &record, &error);
        if (status == ROLLKEEPER_DONE)
            break;
        if (status != ROLLKEEPER_OK) {
            fprintf(stderr, "iterator: %s\n", rollkeeper_error_message(error));
            exit(1);
        }
        must_contain(record, part);
        count++;
    }
    rollkeeper_iterator_free(iterator);
    return count;
}

/* Reads a whole file; the text ends with NUL and is freed by the caller. */
static inline char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    CHECK(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    CHECK(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    char *text = (char *)malloc((size_t)size + 1);
    CHECK(text != NULL && fread(text, 1, (size_t)size, file) == (size_t)size);
    text[size] = '\0';
    fclose(file);
    return text;
}

#endif
