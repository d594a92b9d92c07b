/*
 * The host of the torture in C: opens the file, puts users, runs and is killed, as life.py says. What it is told and
 * what it says are the same lines of JSON as those of host.py and host_go.
 */
#include "check.h"
#include "json.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    int port;
    long long life;
    char *die_at; /* NULL where nobody asked for it */
    int die_call;
    atomic_int creates;
} target;

static void add(buffer *to, const char *text)
{
    buffer_add(to, text, strlen(text));
}

static void add_json(buffer *to, const char *before, json value)
{
    add(to, before);
    if (value.start == NULL)
        add(to, "null");
    else
        buffer_add(to, value.start, value.length);
}

static void die_if(bool now)
{
    if (now)
        kill(getpid(), SIGKILL);
}

static bool is_at(const char *boundary, const char *place)
{
    return boundary != NULL && strcmp(boundary, place) == 0;
}

/* A whole line, without its end; NULL where none came whole. */
static char *read_line(int from)
{
    buffer line = {NULL, 0, 0};
    char part[4096];
    ssize_t got;
    while ((got = read(from, part, sizeof part)) > 0) {
        buffer_add(&line, part, (size_t)got);
        if (part[got - 1] == '\n')
            return line.text;
    }
    free(line.text);
    return NULL;
}

static bool write_all(int to, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t written = write(to, text, length);
        if (written <= 0)
            return false;
        text += written;
        length -= (size_t)written;
    }
    return true;
}

/* What the target answers, or NULL where it does not. Frees the question. Dies at the boundary, where one is given. */
static char *ask(const target *at, buffer question, const char *boundary)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)at->port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    char *answer = NULL;
    if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0) {
        add(&question, "}\n");
        die_if(is_at(boundary, "before_send"));
        if (write_all(connection, question.text, question.length)) {
            char first;
            die_if(is_at(boundary, "on_its_way"));
            if (is_at(boundary, "after_send"))
                /* The target has done it or dropped it; what it says stays unread. */
                die_if(recv(connection, &first, 1, MSG_PEEK) >= 0);
            answer = read_line(connection);
        }
    }
    if (connection >= 0)
        close(connection);
    free(question.text);
    die_if(answer != NULL && is_at(boundary, "before_settle"));
    return answer;
}

/* The beginning of a write, with the life that sends it and the time; the target drops it once it is too old. */
static buffer signed_write(const target *at, const char *what)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    buffer question = {NULL, 0, 0};
    char text[160];
    snprintf(text, sizeof text, "{\"do\":\"%s\",\"life\":%lld,\"sent\":%lld", what, at->life,
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    add(&question, text);
    return question;
}

static void no_answer(rollkeeper_reply *reply, int outcome)
{
    const char *message = "the target did not answer";
    CHECK(rollkeeper_reply_fail(reply, outcome, "connector_failed", message, -1, NULL) == ROLLKEEPER_OK);
}

static void add_account(buffer *to, json shown)
{
    json attributes = json_member(shown, "attributes");
    add_json(to, "{\"external_id\":", json_member(shown, "id"));
    add_json(to, ",\"active\":", json_member(shown, "active"));
    add_json(to, ",\"username\":", json_member(attributes, "userName"));
    add_json(to, ",\"attributes\":", attributes);
    add(to, "}");
}

static void reply_with(rollkeeper_reply *reply, buffer text)
{
    CHECK(rollkeeper_reply_set_json(reply, text.text, text.length) == ROLLKEEPER_OK);
    free(text.text);
}

static void can(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)length;
    buffer text = {NULL, 0, 0};
    add(&text, "{\"search\":true}");
    reply_with(reply, text);
}

static void find(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)length;
    buffer question = {NULL, 0, 0}, accounts = {NULL, 0, 0};
    add_json(&question, "{\"do\":\"find\",\"attribute\":", json_member(json_of(request), "attribute"));
    add_json(&question, ",\"value\":", json_member(json_of(request), "value"));
    char *answer = ask((target *)context, question, NULL);
    if (answer == NULL) {
        no_answer(reply, ROLLKEEPER_OUTCOME_NOT_APPLIED);
        return;
    }
    json shown, list = json_member(json_of(answer), "accounts");
    for (size_t index = 0; (shown = json_item(list, index)).start != NULL; index++) {
        add(&accounts, index == 0 ? "[" : ",");
        add_account(&accounts, shown);
    }
    add(&accounts, accounts.length == 0 ? "[]" : "]");
    reply_with(reply, accounts);
    free(answer);
}

static void read_account(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)length;
    buffer question = {NULL, 0, 0}, account = {NULL, 0, 0};
    add_json(&question, "{\"do\":\"read\",\"id\":", json_member(json_of(request), "external_id"));
    char *answer = ask((target *)context, question, NULL);
    if (answer == NULL) {
        no_answer(reply, ROLLKEEPER_OUTCOME_NOT_APPLIED);
        return;
    }
    json shown = json_item(json_member(json_of(answer), "accounts"), 0);
    if (shown.start == NULL)
        add(&account, "null");
    else
        add_account(&account, shown);
    reply_with(reply, account);
    free(answer);
}

static void create(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)length;
    target *at = (target *)context;
    int number = atomic_fetch_add(&at->creates, 1) + 1;
    buffer question = signed_write(at, "create"), account = {NULL, 0, 0};
    add_json(&question, ",\"attributes\":", json_member(json_of(request), "attributes"));
    add_json(&question, ",\"key\":", json_member(json_of(request), "idempotency_key"));
    char *answer = ask(at, question, number == at->die_call ? at->die_at : NULL);
    if (answer == NULL) {
        no_answer(reply, ROLLKEEPER_OUTCOME_AMBIGUOUS);
        return;
    }
    add_account(&account, json_item(json_member(json_of(answer), "accounts"), 0));
    reply_with(reply, account);
    free(answer);
}

static void set_active(void *context, const char *request, const char *active, rollkeeper_reply *reply)
{
    buffer question = signed_write((target *)context, "set_active");
    add_json(&question, ",\"id\":", json_member(json_of(request), "external_id"));
    add(&question, ",\"active\":");
    add(&question, active);
    char *answer = ask((target *)context, question, NULL);
    const char *missing = "there is no such account";
    int rejected = ROLLKEEPER_OUTCOME_REJECTED;
    if (answer == NULL)
        no_answer(reply, ROLLKEEPER_OUTCOME_AMBIGUOUS);
    else if (json_item(json_member(json_of(answer), "accounts"), 0).start == NULL)
        CHECK(rollkeeper_reply_fail(reply, rejected, "account_missing", missing, -1, NULL) == ROLLKEEPER_OK);
    free(answer);
}

static void activate(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)length;
    set_active(context, request, "true", reply);
}

static void deactivate(void *context, const char *request, size_t length, rollkeeper_reply *reply)
{
    (void)length;
    set_active(context, request, "false", reply);
}

/* One line for the parent. */
static void say(buffer line)
{
    add(&line, "}\n");
    CHECK(write_all(STDOUT_FILENO, line.text, line.length));
    free(line.text);
}

static void add_requests(buffer *to, const rollkeeper_engine *engine, const char *filter)
{
    rollkeeper_iterator *requests = NULL;
    MUST(rollkeeper_engine_requests(engine, filter, filter == NULL ? 0 : strlen(filter), &requests, &error));
    add(to, "[");
    for (bool first = true;; first = false) {
        char *record = NULL;
        rollkeeper_status status = rollkeeper_iterator_next(requests, &record, NULL);
        if (status == ROLLKEEPER_DONE)
            break;
        CHECK(status == ROLLKEEPER_OK);
        add(to, first ? "" : ",");
        add(to, record);
        rollkeeper_string_free(record);
    }
    add(to, "]");
    rollkeeper_iterator_free(requests);
}

static rollkeeper_engine *open_engine(const char *state, json story, target *at)
{
    rollkeeper_open_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.path = state;
    options.without_look_up = !json_is(json_member(story, "look_up"), "true");
    rollkeeper_connector connector;
    memset(&connector, 0, sizeof connector);
    connector.struct_size = sizeof connector;
    connector.context = at;
    connector.capabilities = can;
    connector.find = find;
    connector.read = read_account;
    connector.create = create;
    connector.activate = activate;
    connector.deactivate = deactivate;
    rollkeeper_engine *engine = NULL;
    json app = json_member(story, "app");
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    MUST(rollkeeper_engine_register_connector(engine, "target", &connector, &error));
    MUST(rollkeeper_engine_put_app(engine, app.start, app.length, "torture", NULL, &error));
    return engine;
}

static void run(rollkeeper_engine *engine, const char *timeout)
{
    rollkeeper_run_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.workers = 2;
    options.timeout = timeout;
    char *progress = NULL;
    MUST(rollkeeper_engine_run(engine, &options, &progress, &error));
    rollkeeper_string_free(progress);
}

static void live(rollkeeper_engine *engine, json story)
{
    buffer opened = {NULL, 0, 0}, acknowledged = {NULL, 0, 0}, last = {NULL, 0, 0};
    char *text = NULL;
    add(&opened, "{\"opened\":");
    add_requests(&opened, engine, "{\"state\":\"Requested\"}");
    say(opened);
    json users = json_member(story, "users");
    if (json_item(users, 0).start != NULL) {
        MUST(rollkeeper_engine_put_users(engine, users.start, users.length, "torture", &text, &error));
        add(&acknowledged, "{\"acknowledged\":");
        add(&acknowledged, text);
        rollkeeper_string_free(text);
        say(acknowledged);
    }
    unsigned long long finish = json_number(json_member(story, "finish"));
    if (finish == 0) {
        run(engine, NULL);
        add(&last, "{\"idle\":true");
        say(last);
        free(read_line(STDIN_FILENO)); /* nothing left to do: waits here to be killed */
        return;
    }
    char timeout[32];
    snprintf(timeout, sizeof timeout, "PT%lluS", finish);
    run(engine, timeout);
    add(&last, "{\"finished\":");
    add_requests(&last, engine, NULL);
    MUST(rollkeeper_engine_verify_log(engine, &text, &error));
    add(&last, ",\"log\":");
    add(&last, text);
    rollkeeper_string_free(text);
    say(last);
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    signal(SIGPIPE, SIG_IGN);
    char *line = read_line(STDIN_FILENO);
    CHECK(line != NULL);
    json story = json_of(line), die = json_member(story, "die");
    target at = {.port = atoi(arguments[2]), .life = (long long)json_number(json_member(story, "life"))};
    at.die_at = json_text(json_member(die, "at"));
    at.die_call = (int)json_number(json_member(die, "call"));
    rollkeeper_engine *engine = open_engine(arguments[1], story, &at);
    live(engine, story);
    rollkeeper_engine_free(engine);
    free(at.die_at);
    free(line);
    return 0;
}
