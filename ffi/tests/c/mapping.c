/* A compiled mapping: the buffer of the caller, many users at once, and what is refused. */
#include "check.h"

#include <pthread.h>

#define RULES "[{\"target\":\"userName\",\"source\":\"login\",\"required\":true},{\"target\":\"at\",\"expression\":\"now\"}]"
#define NOW "2026-11-20T09:00:00Z"
#define ADA "{\"at\":\"2026-11-20T09:00:00Z\",\"userName\":\"ada\"}"

static rollkeeper_mapping *compiled(void)
{
    rollkeeper_mapping *mapping = NULL;
    MUST(rollkeeper_mapping_compile(DOCUMENT(RULES), &mapping, &error));
    return mapping;
}

static void the_buffer_is_the_callers(void)
{
    rollkeeper_mapping *mapping = compiled();
    char text[sizeof ADA + 1];
    size_t length = 0;
    memset(text, '#', sizeof text);
    MUST(rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), NOW, NULL, 0, &length, &error));
    CHECK(length == strlen(ADA));
    /* One byte too few: there is no place for the NUL. */
    MUST(rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), NOW, text, length, &length, &error));
    CHECK(length == strlen(ADA) && text[0] == '#');
    MUST(rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), NOW, text, length + 1, &length, &error));
    CHECK(strcmp(text, ADA) == 0 && text[sizeof ADA] == '#');
    MUST(rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), NULL, NULL, 0, &length, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "buffer",
          rollkeeper_mapping_render(mapping, DOCUMENT("{}"), NOW, NULL, 1, &length, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "length",
          rollkeeper_mapping_render(mapping, DOCUMENT("{}"), NOW, text, sizeof text, NULL, &error));
    length = 7;
    FAILS(ROLLKEEPER_MISSING_REQUIRED, "userName",
          rollkeeper_mapping_render(mapping, DOCUMENT("{}"), NOW, text, sizeof text, &length, &error));
    FAILS(ROLLKEEPER_INVALID_DOCUMENT, "user",
          rollkeeper_mapping_render(mapping, DOCUMENT("[]"), NOW, text, sizeof text, &length, &error));
    FAILS(ROLLKEEPER_INVALID_TIME, "RFC 3339",
          rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), "soon", text, sizeof text, &length, &error));
    CHECK(length == 7 && strcmp(text, ADA) == 0);
    rollkeeper_mapping_free(mapping);
}

static void a_bad_line_stops_nobody_else(void)
{
    rollkeeper_mapping *mapping = compiled();
    char *lines = NULL;
    size_t length = 0;
    const char *users = "{\"login\":\"ada\"}\n{}\n\nno JSON\n{\"login\":\"ada\"}";
    MUST(rollkeeper_mapping_render_lines(mapping, DOCUMENT(users), NOW, &lines, &length, &error));
    CHECK(strlen(lines) == length);
    const char *ada = "{\"attributes\":" ADA "}\n";
    CHECK(strncmp(lines, ada, strlen(ada)) == 0 && strcmp(lines + length - strlen(ada), ada) == 0);
    int count = 0;
    for (const char *end = lines; (end = strchr(end, '\n')) != NULL; end++)
        count++;
    CHECK(count == 5);
    CHECK(strstr(lines, "\n{\"faults\":[{\"attribute\":\"userName\",\"code\":\"missing_required\"") != NULL);
    rollkeeper_string_free(lines);
    MUST(rollkeeper_mapping_render_lines(mapping, DOCUMENT(""), NULL, &lines, NULL, &error));
    CHECK(strcmp(lines, "") == 0);
    rollkeeper_string_free(lines);
    rollkeeper_mapping_free(mapping);
}

static void *render_often(void *mapping)
{
    for (int count = 0; count < 2000; count++) {
        char text[sizeof ADA];
        size_t length = 0;
        MUST(rollkeeper_mapping_render(mapping, DOCUMENT("{\"login\":\"ada\"}"), NOW, text, sizeof text, &length, &error));
        CHECK(strcmp(text, ADA) == 0);
    }
    return NULL;
}

static void several_threads_share_one(void)
{
    rollkeeper_mapping *mapping = compiled();
    pthread_t threads[4];
    for (int number = 0; number < 4; number++)
        CHECK(pthread_create(&threads[number], NULL, render_often, mapping) == 0);
    for (int number = 0; number < 4; number++)
        CHECK(pthread_join(threads[number], NULL) == 0);
    rollkeeper_mapping_free(mapping);
}

int main(void)
{
    the_buffer_is_the_callers();
    a_bad_line_stops_nobody_else();
    several_threads_share_one();
    rollkeeper_mapping *mapping = NULL;
    FAILS(ROLLKEEPER_INVALID_PATH, "mapping[0].target",
          rollkeeper_mapping_compile(DOCUMENT("[{\"target\":\"a.\",\"constant\":1}]"), &mapping, &error));
    FAILS(ROLLKEEPER_INVALID_JSON, "JSON", rollkeeper_mapping_compile(DOCUMENT("["), &mapping, &error));
    CHECK(mapping == NULL);
    rollkeeper_mapping_free(NULL);
    return 0;
}
