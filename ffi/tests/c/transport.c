/*
 * A host's own HTTP client plays tests/data/transport/scenario.json, which the other languages play too: transport FILE
 */
#include "check.h"
#include "json.h"

typedef struct {
    json exchanges;
    const char *secret;
    size_t played;
    int freed;
} host;

/* Whether two JSON texts are the same but for the white space between their parts. */
static bool same(json one, const char *other, size_t length)
{
    bool in_text = false;
    size_t at = 0;
    for (size_t place = 0; place < one.length; place++) {
        char byte = one.start[place];
        if (!in_text && strchr(" \n\r\t", byte) != NULL)
            continue;
        if (at >= length || other[at++] != byte)
            return false;
        in_text = byte == '"' ? !in_text : in_text;
    }
    return at == length;
}

static void must_be(json object, const char *key, json expected, const char *prefix)
{
    char *text = json_text(json_member(object, key)), *wanted = json_text(expected);
    CHECK(text != NULL && wanted != NULL && strncmp(text, prefix, strlen(prefix)) == 0);
    CHECK(strcmp(text + strlen(prefix), wanted) == 0);
    free(text);
    free(wanted);
}

static void play(void *context, const char *request, size_t request_length, const uint8_t *body, size_t body_length,
                 rollkeeper_reply *reply)
{
    host *self = (host *)context;
    char *text = (char *)malloc(request_length + 1);
    CHECK(text != NULL);
    memcpy(text, request, request_length);
    text[request_length] = '\0';
    json asked = json_of(text), exchange = json_item(self->exchanges, self->played++);
    CHECK(exchange.start != NULL);
    must_be(asked, "method", json_member(exchange, "method"), "");
    must_be(asked, "url", json_member(exchange, "url"), "");
    must_be(json_member(asked, "headers"), "authorization", json_of(self->secret), "Bearer ");
    CHECK(json_number(json_member(asked, "timeout")) == 30);
    CHECK(json_number(json_member(asked, "largest_answer")) == 8 * 1024 * 1024);
    json expected = json_member(exchange, "body");
    CHECK(body == NULL ? json_is(expected, "null") : same(expected, (const char *)body, body_length));
    json failure = json_member(exchange, "failure");
    if (failure.start != NULL) {
        bool sent = json_is(json_member(failure, "sent"), "true");
        char *code = json_text(json_member(failure, "code"));
        int32_t outcome = sent ? ROLLKEEPER_OUTCOME_AMBIGUOUS : ROLLKEEPER_OUTCOME_NOT_APPLIED;
        CHECK(rollkeeper_reply_fail(reply, outcome, code, "as the scenario says", -1, NULL) == ROLLKEEPER_OK);
        free(code);
    } else {
        json answer = json_member(exchange, "answer");
        json headers = json_member(answer, "headers"), content = json_member(answer, "body");
        int32_t status = (int32_t)json_number(json_member(answer, "status"));
        CHECK(rollkeeper_reply_set_response(reply, 70000, NULL, 0, NULL, 0) == ROLLKEEPER_INVALID_ARGUMENT);
        CHECK(rollkeeper_reply_set_response(reply, 200, "[]", 2, NULL, 0) == ROLLKEEPER_INVALID_ARGUMENT);
        CHECK(rollkeeper_reply_set_response(reply, status, headers.start, headers.length,
                                            (const uint8_t *)content.start, content.length) == ROLLKEEPER_OK);
    }
    free(text);
}

static void free_host(void *context)
{
    ((host *)context)->freed++;
}

static void secret(void *context, const char *name, rollkeeper_reply *reply)
{
    char *text = json_text(json_of((const char *)context));
    CHECK(strcmp(name, "crm") == 0);
    CHECK(rollkeeper_reply_set_text(reply, text, strlen(text)) == ROLLKEEPER_OK);
    free(text);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    char *text = read_file(argv[1]), *progress = NULL;
    json scenario = json_of(text), app = json_member(scenario, "app"), user = json_member(scenario, "user");
    host self = {json_member(scenario, "exchanges"), json_member(scenario, "secret").start, 0, 0};
    rollkeeper_virtual_clock *clock = NULL;
    MUST(rollkeeper_virtual_clock_new("2026-11-20T09:00:00Z", &clock, &error));
    rollkeeper_secrets secrets = {sizeof secrets, (void *)self.secret, NULL, secret};
    rollkeeper_transport transport = {sizeof transport, &self, free_host, play};
    rollkeeper_open_options options = {
        .struct_size = sizeof options, .has_seed = 1, .seed = 1, .secrets = &secrets, .virtual_clock = clock,
        .transport = &transport,
    };
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(&options, &engine, &error));
    MUST(rollkeeper_engine_put_app(engine, app.start, app.length, NULL, NULL, &error));
    MUST(rollkeeper_engine_put_user(engine, user.start, user.length, NULL, NULL, &error));
    for (int hour = 0; hour < 10; hour++) {
        MUST(rollkeeper_engine_run(engine, NULL, &progress, &error));
        rollkeeper_string_free(progress);
        MUST(rollkeeper_virtual_clock_advance(clock, "PT1H", &error));
    }
    CHECK(self.played == 4);
    rollkeeper_iterator *accounts = NULL;
    MUST(rollkeeper_engine_accounts(engine, NULL, 0, &accounts, &error));
    CHECK(count_records(accounts, "\"external_id\":\"2819c223\"") == 1);
    CHECK(self.freed == 0);
    rollkeeper_engine_free(engine);
    CHECK(self.freed == 1);
    rollkeeper_virtual_clock_free(clock);

    transport.send = NULL;
    options.virtual_clock = NULL;
    FAILS(ROLLKEEPER_NULL_ARGUMENT, "transport.send", rollkeeper_engine_open(&options, &engine, &error));
    CHECK(self.freed == 2);
    free(text);
    return 0;
}
