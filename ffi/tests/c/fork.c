/*
 * A child that was forked after an engine was opened: every function refuses, freeing touches nothing, and the parent goes
 * on: fork DATABASE, a path where no file is yet.
 */
#include "check.h"

#include <sys/wait.h>
#include <unistd.h>

static const char *const APP = "{\"id\":\"crm\",\"connector\":{\"kind\":\"mock\"},\"create_without_match\":true,"
                               "\"assigned_to\":{\"profiles\":[\"Employees\"]},"
                               "\"mapping\":[{\"target\":\"userName\",\"source\":\"username\"}]}";
static const char *const USER = "{\"id\":\"u1\",\"username\":\"ann\",\"profile\":\"Employees\"}";

/* In the child. */
static void refused(rollkeeper_engine *engine, const char *path)
{
    char *text = NULL;
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_run(engine, NULL, &text, &error));
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_step(engine, &text, &error));
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_metrics(engine, &text, &error));
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_verify_log(engine, &text, &error));
    rollkeeper_iterator *requests = NULL;
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_put_user(engine, DOCUMENT(USER), NULL, &requests, &error));
    CHECK(rollkeeper_engine_cancel_run(engine, NULL) == ROLLKEEPER_FORKED);
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = path;
    rollkeeper_engine *other = NULL;
    FAILS(ROLLKEEPER_FORKED, "fork", rollkeeper_engine_open(&options, &other, &error));
    rollkeeper_engine_free(engine);
    /* A store in memory is the child's own. */
    options.path = NULL;
    MUST(rollkeeper_engine_open(&options, &other, &error));
    rollkeeper_engine_free(other);
    _exit(0);
}

int main(int count, char **arguments)
{
    CHECK(count == 2);
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = arguments[1];
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    char *text = NULL;
    rollkeeper_iterator *requests = NULL;
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(APP), NULL, &requests, &error));
    rollkeeper_iterator_free(requests);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        refused(engine, arguments[1]);
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    MUST(rollkeeper_engine_put_user(engine, DOCUMENT(USER), NULL, &requests, &error));
    rollkeeper_iterator_free(requests);
    MUST(rollkeeper_engine_run(engine, NULL, &text, &error));
    must_contain(text, "\"completed\":1");
    MUST(rollkeeper_engine_verify_log(engine, &text, &error));
    rollkeeper_string_free(text);
    rollkeeper_engine_free(engine);
    return 0;
}
