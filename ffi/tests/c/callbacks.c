/*
 * What the host is called back for, and what it may do meanwhile: secrets, clock and log, a key, cancelling from a callback,
 * and freeing an engine while another thread runs it: callbacks DATABASE, a path where no file is yet.
 */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

typedef struct {
    rollkeeper_engine *engine;
    atomic_int secrets, times, entries, freed, ticks;
    atomic_bool cancels;
} host;

static void secret(void *context, const char *name, rollkeeper_reply *reply)
{
    host *at = (host *)context;
    CHECK(strcmp(name, "scim-token") == 0);
    at->secrets++;
    CHECK(rollkeeper_reply_set_text(reply, "planted-token", 13) == ROLLKEEPER_OK);
}

static int64_t now(void *context)
{
    ((host *)context)->times++;
    return INT64_C(1795510800000000); /* 2026-11-24T09:00:00Z */
}

static void entry(void *context, const char *text, size_t length)
{
    host *at = (host *)context;
    at->entries++;
    CHECK(strstr(text, "2026-11-24T09:00:00Z") != NULL && strlen(text) == length);
    CHECK(strstr(text, "planted-token") == NULL);
    if (at->engine != NULL) {
        char *verdict = NULL;
        CHECK(rollkeeper_engine_verify_log(at->engine, &verdict, NULL) == ROLLKEEPER_REENTRANT_CALL);
        CHECK(rollkeeper_engine_cancel_run(at->engine, NULL) == ROLLKEEPER_OK);
        rollkeeper_engine_free(at->engine); /* does nothing here */
    }
}

static void count_freed(void *context)
{
    ((host *)context)->freed++;
}

static int32_t tick(void *context, const char *progress, size_t length)
{
    host *at = (host *)context;
    CHECK(length > 0 && progress[length] == '\0');
    at->ticks++;
    return at->cancels;
}

static rollkeeper_engine *open_with(host *at, const char *path, const uint8_t *key)
{
    rollkeeper_secrets secrets = {sizeof secrets, at, count_freed, secret};
    rollkeeper_log log = {sizeof log, at, count_freed, entry};
    rollkeeper_clock clock = {sizeof clock, at, count_freed, now};
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = path;
    options.key = key;
    options.secrets = &secrets;
    options.log = &log;
    options.clock = &clock;
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    return engine;
}

static void put_nurse(rollkeeper_engine *engine, const char *id)
{
    char user[128];
    snprintf(user, sizeof user, "{\"id\": \"%s\", \"username\": \"%s\", \"profile\": \"Nurses\", \"active\": true}", id, id);
    MUST(rollkeeper_engine_put_user(engine, DOCUMENT(user), NULL, NULL, &error));
}

static void the_host_is_asked_and_told(const char *path)
{
    const uint8_t key[32] = {1, 2, 3};
    host at = {0};
    rollkeeper_engine *engine = open_with(&at, path, key);
    const char *app = "{\"id\": \"scim\", \"enabled\": false, \"connector\": {\"kind\": \"scim\", \"base_url\": \"http://127.0.0.1:1/v2\","
                      " \"auth\": {\"kind\": \"bearer\", \"token\": {\"secret\": \"scim-token\"}}}}";
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(app), NULL, NULL, &error));
    char *text = NULL;
    MUST(rollkeeper_engine_test_app(engine, "scim", &text, &error));
    must_contain(text, "\"passed\":false");
    put_nurse(engine, "u1");
    CHECK(at.secrets > 0 && at.times > 0 && at.entries > 0);
    rollkeeper_engine_free(engine);
    CHECK(at.freed == 3);

    /* what one key sealed, no other opens */
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.path = path;
    FAILS(ROLLKEEPER_KEY_MISSING, "", rollkeeper_engine_open(&options, &engine, &error));
}

static void put_crm(rollkeeper_engine *engine)
{
    const char *app = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}, \"assigned_to\": {\"profiles\": [\"Nurses\"]},"
                      " \"create_without_match\": true, \"mapping\": [{\"target\": \"userName\", \"source\": \"username\"}]}";
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(app), NULL, NULL, &error));
    rollkeeper_mock_target *target = NULL;
    MUST(rollkeeper_engine_mock_target(engine, "crm", &target, &error));
    MUST(rollkeeper_mock_target_script(target, DOCUMENT("[{\"on\": \"*\", \"times\": 1000, \"fault\": \"unreachable\"}]"), &error));
    rollkeeper_mock_target_free(target);
}

static rollkeeper_status run_for_an_hour(rollkeeper_engine *engine, host *at, char **progress)
{
    rollkeeper_run_options options = {0};
    options.struct_size = sizeof options;
    options.workers = 2;
    options.timeout = "PT1H";
    options.context = at;
    options.progress = tick;
    return rollkeeper_engine_run(engine, &options, progress, NULL);
}

static void a_callback_cancels_the_run(void)
{
    host at = {0};
    rollkeeper_engine *engine = open_with(&at, NULL, NULL);
    put_crm(engine);
    put_nurse(engine, "u1");
    char *progress = NULL;
    at.engine = engine;
    CHECK(run_for_an_hour(engine, &at, &progress) == ROLLKEEPER_OK);
    must_contain(progress, "\"stopped\":true");
    at.engine = NULL;

    at.cancels = true;
    put_nurse(engine, "u2");
    CHECK(run_for_an_hour(engine, &at, &progress) == ROLLKEEPER_OK);
    must_contain(progress, "\"stopped\":true");
    rollkeeper_engine_free(engine);
}

static void who_watches_a_reconciliation_may_stop_it(void)
{
    host at = {0};
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(NULL, &engine, &error));
    const char *app = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}, \"create_without_match\": true}";
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(app), NULL, NULL, &error));
    rollkeeper_watch watch = {sizeof watch, &at, tick};
    char *text = NULL;
    at.cancels = true;
    MUST(rollkeeper_engine_reconcile_watched(engine, "crm", NULL, &watch, &text, &error));
    must_contain(text, "\"state\":\"Collecting\"");
    CHECK(at.ticks == 1);
    at.cancels = false;
    MUST(rollkeeper_engine_reconcile_watched(engine, "crm", NULL, &watch, &text, &error));
    must_contain(text, "\"state\":\"Analyzed\"");
    int ticks = at.ticks;
    CHECK(ticks > 3);
    watch.told = NULL;
    MUST(rollkeeper_engine_reconcile_watched(engine, "crm", NULL, &watch, &text, &error));
    must_contain(text, "\"state\":\"Analyzed\"");
    CHECK(at.ticks == ticks);
    watch.struct_size = 1;
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "watch",
          rollkeeper_engine_reconcile_watched(engine, "crm", NULL, &watch, &text, &error));
    rollkeeper_engine_free(engine);
}

typedef struct {
    rollkeeper_engine *engine;
    host *at;
} running;

static void *run_in_thread(void *context)
{
    running *one = (running *)context;
    char *progress = NULL;
    CHECK(run_for_an_hour(one->engine, one->at, &progress) == ROLLKEEPER_OK);
    must_contain(progress, "\"stopped\":true");
    return NULL;
}

static void free_waits_for_a_run(void)
{
    host at = {0};
    running one = {NULL, &at};
    MUST(rollkeeper_engine_open(NULL, &one.engine, &error));
    put_crm(one.engine);
    put_nurse(one.engine, "u1");
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_in_thread, &one) == 0);
    while (at.ticks == 0)
        sched_yield();
    rollkeeper_engine_free(one.engine);
    int ticks = at.ticks;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(at.ticks == ticks);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    the_host_is_asked_and_told(argv[1]);
    a_callback_cancels_the_run();
    who_watches_a_reconciliation_may_stop_it();
    free_waits_for_a_run();
    return 0;
}
