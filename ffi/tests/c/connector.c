/*
 * A connector written in C: accounts in memory, each a flat set of attribute paths and JSON values. It passes the
 * conformance suite, serves an engine, and shows what becomes of answers that are missing or cannot be read.
 */
#include "check.h"
#include "json.h"

#include <pthread.h>

#define MOST_ACCOUNTS 64
#define MOST_VALUES 32

typedef struct {
    char *path;  /* userName, name.familyName, emails, … */
    char *value; /* JSON text */
} attribute;

typedef struct {
    int id; /* 0 where the place is free */
    bool active, frozen;
    attribute attributes[MOST_VALUES];
} account;

typedef struct {
    pthread_mutex_t lock;
    account accounts[MOST_ACCOUNTS];
    int last_id, creates, freed;
    rollkeeper_engine *engine;      /* the engine it serves, to try to call it from within */
    rollkeeper_status reentered;
} target;

static char *copy_of(const char *text, size_t length)
{
    char *copy = (char *)malloc(length + 1);
    CHECK(copy != NULL);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static void set(account *on, const char *path, json value)
{
    attribute *place = NULL;
    for (int index = MOST_VALUES - 1; index >= 0; index--)
        if (on->attributes[index].path == NULL || strcmp(on->attributes[index].path, path) == 0) {
            place = &on->attributes[index];
            if (place->path != NULL)
                break;
        }
    CHECK(place != NULL);
    if (place->path == NULL)
        place->path = copy_of(path, strlen(path));
    free(place->value);
    place->value = value.start == NULL ? NULL : copy_of(value.start, value.length);
    if (place->value == NULL) {
        free(place->path);
        place->path = NULL;
    }
}

static const char *get(const account *of, const char *path)
{
    for (int index = 0; index < MOST_VALUES; index++)
        if (of->attributes[index].path != NULL && strcmp(of->attributes[index].path, path) == 0)
            return of->attributes[index].value;
    return NULL;
}

/* Keeps `name.familyName` for `{"name": {"familyName": …}}`. */
static void set_all(account *on, const char *prefix, json object)
{
    json key, value;
    for (size_t index = 0; (value = json_pair(object, index, &key)).start != NULL; index++) {
        char *name = json_text(key);
        char path[256];
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix == '\0' ? "" : ".", name);
        free(name);
        if (strcmp(path, "active") == 0)
            on->active = json_is(value, "true");
        else if (*value.start == '{')
            set_all(on, path, value);
        else
            set(on, path, value);
    }
}

static void clear(account *of)
{
    json nothing = {NULL, 0};
    for (int index = 0; index < MOST_VALUES; index++)
        if (of->attributes[index].path != NULL)
            set(of, of->attributes[index].path, nothing);
    of->id = 0;
}

static account *with_id(target *at, json request)
{
    char *text = json_text(json_member(request, "external_id"));
    char own[16];
    account *found = NULL;
    for (int index = 0; index < MOST_ACCOUNTS; index++) {
        snprintf(own, sizeof own, "%d", at->accounts[index].id);
        if (at->accounts[index].id != 0 && strcmp(own, text) == 0)
            found = &at->accounts[index];
    }
    free(text);
    return found;
}

static void write_account(buffer *to, const account *of)
{
    char text[128];
    snprintf(text, sizeof text, "{\"external_id\":\"%d\",\"active\":%s,\"frozen\":%s,", of->id, of->active ? "true" : "false",
             of->frozen ? "true" : "false");
    buffer_add(to, text, strlen(text));
    const char *username = get(of, "userName");
    if (username != NULL) {
        buffer_add(to, "\"username\":", 11);
        buffer_add(to, username, strlen(username));
        buffer_add(to, ",", 1);
    }
    buffer_add(to, "\"attributes\":{\"name\":{", 22);
    for (int nested = 1; nested >= 0; nested--) {
        bool first = nested == 1;
        for (int index = 0; index < MOST_VALUES; index++) {
            const attribute *one = &of->attributes[index];
            if (one->path == NULL || (strncmp(one->path, "name.", 5) == 0) != (nested == 1))
                continue;
            if (!first)
                buffer_add(to, ",", 1);
            first = false;
            buffer_add_string(to, nested ? one->path + 5 : one->path);
            buffer_add(to, ":", 1);
            buffer_add(to, one->value, strlen(one->value));
        }
        buffer_add(to, "}", 1);
    }
    buffer_add(to, "}", 1);
}

static void answer(rollkeeper_reply *reply, buffer *text)
{
    CHECK(rollkeeper_reply_set_json(reply, text->text, text->length) == ROLLKEEPER_OK);
    free(text->text);
}

static void missing(rollkeeper_reply *reply)
{
    CHECK(rollkeeper_reply_fail(reply, ROLLKEEPER_OUTCOME_REJECTED, "account_missing", "there is no such account", -1, NULL) ==
          ROLLKEEPER_OK);
}

static void capabilities(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)length;
    CHECK(rollkeeper_reply_set_json(reply, DOCUMENT("{\"search\": true, \"freeze\": true, \"unique_keys\": [\"userName\"]}")) == 0);
}

/* Answers nothing, which is all that a test needs. */
static void test(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)reply;
    CHECK(length >= 2 && request[0] == '{');
}

static void find(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    char *text = copy_of(request, length);
    json asked = json_of(text), value = json_member(asked, "value");
    char *path = json_text(json_member(asked, "attribute"));
    buffer found = {0};
    buffer_add(&found, "[", 1);
    pthread_mutex_lock(&at->lock);
    for (int index = 0; index < MOST_ACCOUNTS; index++) {
        const char *own = at->accounts[index].id == 0 ? NULL : get(&at->accounts[index], path);
        if (own == NULL || !json_is(value, own))
            continue;
        if (found.length > 1)
            buffer_add(&found, ",", 1);
        write_account(&found, &at->accounts[index]);
    }
    pthread_mutex_unlock(&at->lock);
    buffer_add(&found, "]", 1);
    answer(reply, &found);
    free(path);
    free(text);
}

static void read_one(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    char *text = copy_of(request, length);
    pthread_mutex_lock(&at->lock);
    account *one = with_id(at, json_of(text));
    buffer shown = {0};
    if (one != NULL)
        write_account(&shown, one);
    else
        buffer_add(&shown, "null", 4);
    pthread_mutex_unlock(&at->lock);
    answer(reply, &shown);
    free(text);
}

static void create(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    if (at->engine != NULL) {
        char *app = NULL;
        at->reentered = rollkeeper_engine_app(at->engine, "tickets", &app, NULL);
    }
    char *text = copy_of(request, length);
    json attributes = json_member(json_of(text), "attributes");
    json username = json_member(attributes, "userName");
    account *place = NULL;
    bool taken = false;
    buffer made = {0};
    pthread_mutex_lock(&at->lock);
    at->creates++;
    for (int index = 0; index < MOST_ACCOUNTS; index++) {
        if (at->accounts[index].id == 0)
            place = &at->accounts[index];
        else if (get(&at->accounts[index], "userName") != NULL && json_is(username, get(&at->accounts[index], "userName")))
            taken = true;
    }
    CHECK(place != NULL);
    if (!taken) {
        place->id = ++at->last_id;
        place->active = true;
        place->frozen = false;
        set_all(place, "", attributes);
        write_account(&made, place);
    }
    pthread_mutex_unlock(&at->lock);
    if (taken)
        CHECK(rollkeeper_reply_fail(reply, ROLLKEEPER_OUTCOME_CONFLICT, "conflict", "the user name is taken", -1, NULL) == 0);
    else
        answer(reply, &made);
    free(text);
}

static void update(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    char *text = copy_of(request, length);
    json asked = json_of(text), changes = json_member(asked, "changes"), nothing = {NULL, 0}, change;
    buffer shown = {0};
    pthread_mutex_lock(&at->lock);
    account *one = with_id(at, asked);
    for (size_t index = 0; one != NULL && (change = json_item(changes, index)).start != NULL; index++) {
        char *path = json_text(json_member(change, "path"));
        json value = json_member(change, "value");
        if (value.start != NULL && *value.start == '{')
            set_all(one, path, value);
        else
            set(one, path, json_is(json_member(change, "op"), "\"remove\"") ? nothing : value);
        free(path);
    }
    if (one != NULL)
        write_account(&shown, one);
    pthread_mutex_unlock(&at->lock);
    if (one == NULL)
        missing(reply);
    else
        answer(reply, &shown);
    free(text);
}

/* What the four switches share. */
static void change_switch(void *context, const char *request, size_t length, rollkeeper_reply *reply, bool freezes, bool to)
{
    target *at = (target *)context;
    char *text = copy_of(request, length);
    pthread_mutex_lock(&at->lock);
    account *one = with_id(at, json_of(text));
    if (one != NULL)
        *(freezes ? &one->frozen : &one->active) = to;
    pthread_mutex_unlock(&at->lock);
    if (one == NULL)
        missing(reply);
    free(text);
}

static void activate(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    change_switch(context, request, length, reply, false, true);
}

static void deactivate(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    change_switch(context, request, length, reply, false, false);
}

static void freeze(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    change_switch(context, request, length, reply, true, true);
}

static void unfreeze(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    change_switch(context, request, length, reply, true, false);
}

static void delete_account(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)reply;
    target *at = (target *)context;
    char *text = copy_of(request, length);
    pthread_mutex_lock(&at->lock);
    account *one = with_id(at, json_of(text));
    if (one != NULL)
        clear(one);
    pthread_mutex_unlock(&at->lock);
    free(text);
}

/* Pages of four, so that the suite meets more than one. The cursor is the place in the table. */
static void list(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    target *at = (target *)context;
    char *text = copy_of(request, length);
    char *cursor = json_text(json_member(json_of(text), "cursor"));
    int index = cursor == NULL ? 0 : atoi(cursor), count = 0;
    free(cursor);
    free(text);
    buffer page = {0};
    buffer_add(&page, "{\"accounts\":[", 13);
    pthread_mutex_lock(&at->lock);
    for (; index < MOST_ACCOUNTS && count < 4; index++) {
        if (at->accounts[index].id == 0)
            continue;
        if (count++ > 0)
            buffer_add(&page, ",", 1);
        write_account(&page, &at->accounts[index]);
    }
    pthread_mutex_unlock(&at->lock);
    char end[64];
    if (index < MOST_ACCOUNTS)
        snprintf(end, sizeof end, "],\"next\":\"%d\"}", index);
    else
        snprintf(end, sizeof end, "],\"complete\":true}");
    buffer_add(&page, end, strlen(end));
    answer(reply, &page);
}

static void free_target(void *context)
{
    target *at = (target *)context;
    for (int index = 0; index < MOST_ACCOUNTS; index++)
        clear(&at->accounts[index]);
    at->freed++;
}

static rollkeeper_connector connector_of(target *at)
{
    rollkeeper_connector connector = {0};
    connector.struct_size = sizeof connector;
    connector.context = at;
    connector.free_context = free_target;
    connector.capabilities = capabilities;
    connector.test = test;
    connector.find = find;
    connector.read = read_one;
    connector.create = create;
    connector.update = update;
    connector.activate = activate;
    connector.deactivate = deactivate;
    connector.freeze = freeze;
    connector.unfreeze = unfreeze;
    connector.delete_account = delete_account;
    connector.list = list;
    return connector;
}

static target fresh(void)
{
    target at = {0};
    pthread_mutex_init(&at.lock, NULL);
    return at;
}

static void passes_the_suite(void)
{
    target at = fresh();
    rollkeeper_connector connector = connector_of(&at);
    char *report = NULL;
    MUST(rollkeeper_check_connector(&connector, NULL, 0, &report, &error));
    CHECK(at.freed == 1 && at.creates > 5);
    must_contain(report, "\"passed\":true}");

    /* the suite can fail: a target that does the opposite of what it is told */
    target other = fresh();
    connector = connector_of(&other);
    connector.deactivate = activate;
    MUST(rollkeeper_check_connector(&connector, DOCUMENT("{\"prefix\": \"c\"}"), &report, &error));
    must_contain(report, "\"passed\":false}");
}

static void serves_an_engine(void)
{
    target at = fresh();
    rollkeeper_connector connector = connector_of(&at);
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(NULL, &engine, &error));
    at.engine = engine;
    MUST(rollkeeper_engine_register_connector(engine, "tickets", &connector, &error));
    const char *app = "{\"id\": \"tickets\", \"connector\": {\"kind\": \"custom\", \"name\": \"tickets\"},"
                      " \"assigned_to\": {\"profiles\": [\"Staff\"]}, \"create_without_match\": true,"
                      " \"mapping\": [{\"target\": \"userName\", \"source\": \"username\"}]}";
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(app), NULL, NULL, &error));
    char *text = NULL;
    const char *users = "{\"id\": \"u1\", \"username\": \"ann\", \"profile\": \"Staff\", \"active\": true}\n"
                        "{\"id\": \"u2\", \"username\": \"ben\", \"profile\": \"Staff\", \"active\": true}\n"
                        "{\"username\": \"nobody\"}\n";
    MUST(rollkeeper_engine_put_users(engine, DOCUMENT(users), NULL, &text, &error));
    must_contain(text, "\"stored\":2");
    rollkeeper_run_options options = {0};
    options.struct_size = sizeof options;
    options.workers = 4;
    MUST(rollkeeper_engine_run(engine, &options, &text, &error));
    must_contain(text, "\"failed\":0");
    CHECK(at.creates == 2 && at.last_id == 2);
    CHECK(at.reentered == ROLLKEEPER_REENTRANT_CALL);
    rollkeeper_iterator *accounts = NULL;
    MUST(rollkeeper_engine_accounts(engine, NULL, 0, &accounts, &error));
    CHECK(count_records(accounts, "\"status\":\"Active\"") == 2);
    rollkeeper_engine_free(engine);
    CHECK(at.freed == 1);
}

/* Failures and answers that cannot be read. */
static void fail_with_all(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)length;
    CHECK(rollkeeper_reply_fail(NULL, ROLLKEEPER_OUTCOME_REJECTED, "x", "y", -1, NULL) == ROLLKEEPER_NULL_ARGUMENT);
    CHECK(rollkeeper_reply_fail(reply, 99, "x", "y", -1, NULL) == ROLLKEEPER_INVALID_ARGUMENT);
    CHECK(rollkeeper_reply_fail(reply, ROLLKEEPER_OUTCOME_REJECTED, NULL, "y", -1, NULL) == ROLLKEEPER_NULL_ARGUMENT);
    CHECK(rollkeeper_reply_fail(reply, ROLLKEEPER_OUTCOME_REJECTED, "x", "\xFF", -1, NULL) == ROLLKEEPER_INVALID_UTF8);
    CHECK(rollkeeper_reply_set_json(reply, NULL, 3) == ROLLKEEPER_NULL_ARGUMENT);
    CHECK(rollkeeper_reply_set_json(reply, "\xFF", 1) == ROLLKEEPER_INVALID_UTF8);
    CHECK(rollkeeper_reply_set_json(NULL, "1", 1) == ROLLKEEPER_NULL_ARGUMENT);
    CHECK(rollkeeper_reply_fail(reply, ROLLKEEPER_OUTCOME_NOT_APPLIED, "unauthorized", "the token has expired", 60, "7") == 0);
}

static void answer_garbage(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)length;
    CHECK(rollkeeper_reply_set_json(reply, DOCUMENT("{\"external_id\": ")) == 0);
}

static void answers_may_be_bad(void)
{
    target at = fresh();
    rollkeeper_connector connector = connector_of(&at);
    connector.test = fail_with_all;
    connector.create = answer_garbage;
    char *report = NULL;
    MUST(rollkeeper_check_connector(&connector, NULL, 0, &report, &error));
    CHECK(strstr(report, "the token has expired") != NULL);
    CHECK(strstr(report, "invalid_answer (ambiguous)") != NULL);
    rollkeeper_string_free(report);

    at = fresh();
    connector = connector_of(&at);
    connector.create = test; /* which answers nothing */
    connector.test = NULL;
    connector.read = answer_garbage;
    MUST(rollkeeper_check_connector(&connector, NULL, 0, &report, &error));
    must_contain(report, "\"passed\":false}");
}

int main(void)
{
    passes_the_suite();
    serves_an_engine();
    answers_may_be_bad();
    return 0;
}
