/* Bad input, each with its own code and a message that names the place: errors DIRECTORY, an empty one. */
#include "check.h"

static rollkeeper_engine *open_at(const char *path)
{
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = path;
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    return engine;
}

static void check_open_fails(rollkeeper_status expected, const char *path, int read_only)
{
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = path;
    options.read_only = read_only;
    rollkeeper_engine *engine = NULL;
    FAILS(expected, "", rollkeeper_engine_open(&options, &engine, &error));
    CHECK(engine == NULL);
}

static int freed;
static void count_free(void *context)
{
    (void)context;
    freed++;
}

static void bad_arguments(void)
{
    rollkeeper_engine *engine = open_at(NULL);
    char *text = NULL;
    rollkeeper_iterator *list = NULL;
    bool allowed = false;

    /* NULL: handles, texts, documents, outputs, and no place for the error */
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "engine", rollkeeper_engine_app(NULL, "crm", &text, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "engine", rollkeeper_engine_cancel_run(NULL, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "id", rollkeeper_engine_app(engine, NULL, &text, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "app", rollkeeper_engine_app(engine, "crm", NULL, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "user", rollkeeper_engine_put_user(engine, NULL, 9, NULL, NULL, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "iterator", rollkeeper_iterator_next(NULL, &text, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "target", rollkeeper_mock_target_calls(NULL, &text, &error));
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "engine", rollkeeper_engine_open(NULL, NULL, &error));
    CHECK(rollkeeper_engine_app(NULL, "crm", &text, NULL) == ROLLKEEPER_NULL_ARGUMENT);
    CHECK(rollkeeper_error_number(NULL) == 0 && rollkeeper_error_message(NULL) == NULL);
    rollkeeper_engine_free(NULL);
    rollkeeper_iterator_free(NULL);
    rollkeeper_error_free(NULL);
    rollkeeper_string_free(NULL);
    rollkeeper_mock_target_free(NULL);
    rollkeeper_virtual_clock_free(NULL);

    /* text that is not UTF-8 */
    FAILS(ROLLKEEPER_INVALID_UTF8, "id", rollkeeper_engine_app(engine, "cr\xFF", &text, &error));
    FAILS(ROLLKEEPER_INVALID_UTF8, "user", rollkeeper_engine_put_user(engine, DOCUMENT("{\"id\": \"\xC3\"}"), NULL, NULL, &error));
    rollkeeper_run_options timed = {0};
    timed.struct_size = sizeof timed;
    timed.timeout = "PT1\xFF";
    FAILS(ROLLKEEPER_INVALID_UTF8, "timeout", rollkeeper_engine_run(engine, &timed, &text, &error));
    check_open_fails(ROLLKEEPER_INVALID_UTF8, "state\xFF", 0);
    FAILS(ROLLKEEPER_TOO_LARGE, "user", rollkeeper_engine_put_user(engine, "{}", SIZE_MAX, NULL, NULL, &error));

    /* documents */
    FAILS(ROLLKEEPER_INVALID_JSON, "line 1", rollkeeper_engine_put_user(engine, DOCUMENT("{\"id\": "), NULL, NULL, &error));
    FAILS(ROLLKEEPER_MISSING_ID, "id", rollkeeper_engine_put_user(engine, DOCUMENT("{}"), NULL, NULL, &error));
    const char *unknown_key = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}, \"mapping\": [{\"target\": \"a\", \"sorce\": \"b\"}]}";
    FAILS(ROLLKEEPER_UNKNOWN_KEY, "mapping[0]", rollkeeper_engine_put_app(engine, DOCUMENT(unknown_key), NULL, NULL, &error));
    const char *unknown_operation = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}, \"operations\": {\"copy\": true}}";
    FAILS(ROLLKEEPER_UNKNOWN_OPERATION, "copy", rollkeeper_engine_put_app(engine, DOCUMENT(unknown_operation), NULL, NULL, &error));
    FAILS(ROLLKEEPER_UNKNOWN_KEY, "stat", rollkeeper_engine_requests(engine, DOCUMENT("{\"stat\": \"New\"}"), &list, &error));
    FAILS(ROLLKEEPER_UNKNOWN_STATE, "state", rollkeeper_engine_requests(engine, DOCUMENT("{\"state\": \"Fresh\"}"), &list, &error));

    /* names and values */
    FAILS(ROLLKEEPER_NOT_FOUND, "crm", rollkeeper_engine_app(engine, "crm", &text, &error));
    FAILS(ROLLKEEPER_UNKNOWN_OPERATION, "operation", rollkeeper_engine_submit(engine, "crm", "u1", "Copy", NULL, NULL, &text, &error));
    FAILS(ROLLKEEPER_INVALID_TIME, "time", rollkeeper_engine_submit(engine, "crm", "u1", "Update", NULL, "noon", &text, &error));
    FAILS(ROLLKEEPER_UNKNOWN_STATE, "state", rollkeeper_can_change("Fresh", "New", &allowed, &error));
    FAILS(ROLLKEEPER_UNKNOWN_STATE, "event", rollkeeper_next_state("New", "jump", &text, &error));
    FAILS(ROLLKEEPER_EXPRESSION_INVALID, "", rollkeeper_evaluate("user.a +", DOCUMENT("{\"id\": \"u\"}"), NULL, &text, &error));
    FAILS(ROLLKEEPER_UNKNOWN_KEY, "", rollkeeper_evaluate_with("1", DOCUMENT("{}"), DOCUMENT("{\"tokn\": \"2\"}"), NULL, &text, &error));
    FAILS(ROLLKEEPER_UNKNOWN_FUNCTION, "", rollkeeper_check_expression("user.a.lowr()", NULL, 0, &text, &error));
    FAILS(ROLLKEEPER_INVALID_TIME, "", rollkeeper_evaluate("1", DOCUMENT("{\"id\": \"u\"}"), "noon", &text, &error));

    /* structs whose size was not set; a table without its function still has its context freed */
    rollkeeper_run_options run = {0};
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "struct_size", rollkeeper_engine_run(engine, &run, &text, &error));
    rollkeeper_connector connector = {0};
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "struct_size", rollkeeper_engine_register_connector(engine, "x", &connector, &error));
    rollkeeper_log log = {sizeof log, NULL, count_free, NULL};
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.log = &log;
    rollkeeper_engine *other = NULL;
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "log.entry", rollkeeper_engine_open(&options, &other, &error));
    CHECK(freed == 1 && other == NULL);

    /* an error as JSON; outputs are not touched by a failure */
    rollkeeper_error *error = NULL;
    CHECK(rollkeeper_engine_app(engine, "crm", &text, &error) == ROLLKEEPER_NOT_FOUND);
    CHECK(strcmp(rollkeeper_error_code(error), "not_found") == 0);
    CHECK(strcmp(rollkeeper_error_retry(error), "never") == 0);
    CHECK(strstr(rollkeeper_error_json(error), "\"number\":108") != NULL);
    rollkeeper_error_free(error);
    CHECK(text == NULL && list == NULL && !allowed);
    rollkeeper_engine_free(engine);
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

static void bad_files(const char *directory)
{
    char path[4096], copy[4096];
    snprintf(path, sizeof path, "%s/state.db", directory);
    snprintf(copy, sizeof copy, "%s/copy.db", directory);

    check_open_fails(ROLLKEEPER_STORE_MISSING, path, 1);
    rollkeeper_engine *engine = open_at(path);
    MUST(rollkeeper_engine_put_user(engine, DOCUMENT("{\"id\": \"u1\"}"), NULL, NULL, &error));
    MUST(rollkeeper_engine_backup(engine, copy, &error));
    FAILS(ROLLKEEPER_STORE_UNWRITABLE, "", rollkeeper_engine_backup(engine, copy, &error));
    rollkeeper_engine_free(engine);

    /* the copy is whole, and opened for reading it stays as it is */
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = copy;
    options.read_only = 1;
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    char *text = NULL;
    MUST(rollkeeper_engine_user(engine, "u1", &text, &error));
    must_contain(text, "\"id\":\"u1\"");
    FAILS(ROLLKEEPER_READ_ONLY, "", rollkeeper_engine_put_user(engine, DOCUMENT("{\"id\": \"u2\"}"), NULL, NULL, &error));
    rollkeeper_engine_free(engine);

    /* SQLite keeps user_version big-endian at byte 60: a file of a version that is yet to come */
    FILE *file = fopen(copy, "r+b");
    CHECK(file != NULL && fseek(file, 60, SEEK_SET) == 0 && fwrite("\x00\x00\x27\x0F", 1, 4, file) == 4 && fclose(file) == 0);
    check_open_fails(ROLLKEEPER_STORE_NEWER, copy, 0);

    file = fopen(path, "rb");
    char half[6000];
    size_t length = fread(half, 1, sizeof half, file);
    CHECK(length > 4096);
    fclose(file);
    write_file(copy, half, length);
    check_open_fails(ROLLKEEPER_STORE_DAMAGED, copy, 0);
    write_file(copy, "this is no database at all, only a text that is long enough to be one", 70);
    check_open_fails(ROLLKEEPER_STORE_DAMAGED, copy, 0);
    snprintf(copy, sizeof copy, "%s/missing/state.db", directory);
    check_open_fails(ROLLKEEPER_STORE_UNWRITABLE, copy, 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    bad_arguments();
    bad_files(argv[1]);
    return 0;
}
