/*
 * Several threads put users and run, each with sixteen workers, through a connector in C: everything is done once. The
 * same is tested in Rust, Go and Python.
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "json.h"

#include <pthread.h>
#include <time.h>

#define THREADS 3
#define WORKERS 16
#define USERS 300

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t came_in;
    int came; /* the first calls wait until as many are inside as there are workers */
    bool active[USERS];
    int created[USERS], deactivated[USERS];
} target;

/* Comes in, and leaves with the lock held. */
static void come_in(target *at)
{
    struct timespec end;
    CHECK(clock_gettime(CLOCK_REALTIME, &end) == 0);
    end.tv_sec += 60;
    CHECK(pthread_mutex_lock(&at->lock) == 0);
    at->came++;
    CHECK(pthread_cond_broadcast(&at->came_in) == 0);
    while (at->came < WORKERS)
        CHECK(pthread_cond_timedwait(&at->came_in, &at->lock, &end) == 0);
}

/* The number in a name such as `u12`. */
static int number_of(json request, const char *member)
{
    char *name = json_text(json_member(request, member));
    CHECK(name != NULL && name[0] == 'u');
    int number = atoi(name + 1);
    CHECK(number >= 0 && number < USERS);
    free(name);
    return number;
}

static int asked(const char *request, size_t length, const char *object, const char *member)
{
    buffer text = {0};
    buffer_add(&text, request, length);
    json whole = json_of(text.text);
    int number = number_of(object == NULL ? whole : json_member(whole, object), member);
    free(text.text);
    return number;
}

static void show(rollkeeper_reply *reply, int number, bool active)
{
    char text[160];
    int length = snprintf(text, sizeof text,
                          "{\"external_id\":\"u%d\",\"username\":\"u%d\",\"active\":%s,\"attributes\":{\"userName\":\"u%d\"}}", number,
                          number, active ? "true" : "false", number);
    CHECK(rollkeeper_reply_set_json(reply, text, (size_t)length) == ROLLKEEPER_OK);
}

static void capabilities(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)length;
    CHECK(rollkeeper_reply_set_json(reply, DOCUMENT("{}")) == ROLLKEEPER_OK);
}

static void create(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    int number = asked(request, length, "attributes", "userName");
    come_in(at);
    at->created[number]++;
    at->active[number] = true;
    pthread_mutex_unlock(&at->lock);
    show(reply, number, true);
}

static void read_one(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    int number = asked(request, length, NULL, "external_id");
    pthread_mutex_lock(&at->lock);
    bool active = at->active[number];
    pthread_mutex_unlock(&at->lock);
    show(reply, number, active);
}

static void deactivate(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    (void)reply;
    int number = asked(request, length, NULL, "external_id");
    come_in(at);
    at->deactivated[number]++;
    at->active[number] = false;
    pthread_mutex_unlock(&at->lock);
}

typedef struct {
    rollkeeper_engine *engine;
    int share;
    bool active;
} work;

/* Puts a share of the users, and runs. */
static void *put_and_run(void *context)
{
    const work *mine = (const work *)context;
    buffer users = {0};
    for (int number = mine->share; number < USERS; number += THREADS) {
        char text[128];
        int length = snprintf(text, sizeof text, "{\"id\":\"u%d\",\"username\":\"u%d\",\"profile\":\"Staff\",\"active\":%s}\n", number,
                              number, mine->active ? "true" : "false");
        buffer_add(&users, text, (size_t)length);
    }
    char *text = NULL;
    MUST(rollkeeper_engine_put_users(mine->engine, users.text, users.length, NULL, &text, &error));
    must_contain(text, "\"stored\":100");
    free(users.text);
    rollkeeper_run_options options = {0};
    options.struct_size = sizeof options;
    options.workers = WORKERS;
    MUST(rollkeeper_engine_run(mine->engine, &options, &text, &error));
    must_contain(text, "\"failed\":0");
    return NULL;
}

static void all_threads(rollkeeper_engine *engine, bool active)
{
    pthread_t threads[THREADS];
    work shares[THREADS];
    for (int index = 0; index < THREADS; index++) {
        shares[index] = (work){engine, index, active};
        CHECK(pthread_create(&threads[index], NULL, put_and_run, &shares[index]) == 0);
    }
    for (int index = 0; index < THREADS; index++)
        CHECK(pthread_join(threads[index], NULL) == 0);
}

int main(void)
{
    static target at;
    CHECK(pthread_mutex_init(&at.lock, NULL) == 0 && pthread_cond_init(&at.came_in, NULL) == 0);
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(NULL, &engine, &error));
    rollkeeper_connector connector = {0};
    connector.struct_size = sizeof connector;
    connector.context = &at;
    connector.capabilities = capabilities;
    connector.read = read_one;
    connector.create = create;
    connector.deactivate = deactivate;
    MUST(rollkeeper_engine_register_connector(engine, "counting", &connector, &error));
    const char *app = "{\"id\": \"crm\", \"connector\": {\"kind\": \"custom\", \"name\": \"counting\"},"
                      " \"assigned_to\": {\"profiles\": [\"Staff\"]}, \"create_without_match\": true,"
                      " \"rate\": {\"concurrency\": 16}, \"mapping\": [{\"target\": \"userName\", \"source\": \"username\"}]}";
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(app), NULL, NULL, &error));
    all_threads(engine, true);
    all_threads(engine, false);
    for (int number = 0; number < USERS; number++)
        CHECK(at.created[number] == 1 && at.deactivated[number] == 1 && !at.active[number]);
    rollkeeper_iterator *requests = NULL;
    MUST(rollkeeper_engine_requests(engine, NULL, 0, &requests, &error));
    CHECK(count_records(requests, "\"state\":\"Completed\"") == 2 * USERS);
    rollkeeper_engine_free(engine);
    return 0;
}
