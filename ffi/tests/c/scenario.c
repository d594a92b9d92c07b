/*
 * Plays scenario files and prints, for each, one line of canonical JSON with what came of it: scenario FILE…
 * The line must be the same in all four faces, byte for byte.
 */
#include "check.h"
#include "json.h"

typedef struct {
    rollkeeper_engine *engine;
    rollkeeper_virtual_clock *clock;
    buffer answers;
    buffer *alerts; /* apart, since the engine keeps its address */
} stage;

/* Counts a call that may fail with a code that the scenario names; any other failure ends the program. */
static void expect(json step, rollkeeper_status status, rollkeeper_error **failure)
{
    rollkeeper_error *error = *failure; /* read here, when the call has been made */
    char *code = json_text(json_member(step, "error"));
    if (code == NULL && status != ROLLKEEPER_OK) {
        fprintf(stderr, "%.*s: %s: %s\n", (int)step.length, step.start, rollkeeper_error_code(error),
                rollkeeper_error_message(error));
        exit(1);
    }
    if (code != NULL && (status == ROLLKEEPER_OK || strcmp(rollkeeper_error_code(error), code) != 0)) {
        fprintf(stderr, "%.*s: expected %s, got %s\n", (int)step.length, step.start, code,
                status == ROLLKEEPER_OK ? "success" : rollkeeper_error_code(error));
        exit(1);
    }
    free(code);
    rollkeeper_error_free(error);
}

static char *take_next(rollkeeper_iterator *iterator)
{
    char *record = NULL;
    rollkeeper_error *error = NULL;
    rollkeeper_status status = rollkeeper_iterator_next(iterator, &record, &error);
    CHECK(status == ROLLKEEPER_OK || status == ROLLKEEPER_DONE);
    return record;
}

/* The record at a place of a list, which is freed. */
static char *nth_record(rollkeeper_iterator *list, unsigned long long nth)
{
    char *record = take_next(list);
    while (nth-- > 0 && record != NULL) {
        rollkeeper_string_free(record);
        record = take_next(list);
    }
    rollkeeper_iterator_free(list);
    CHECK(record != NULL);
    return record;
}

/* The id of a request by its place in the list of all. */
static char *nth_request(rollkeeper_engine *engine, unsigned long long nth)
{
    rollkeeper_iterator *requests = NULL;
    MUST(rollkeeper_engine_requests(engine, NULL, 0, &requests, &error));
    char *record = nth_record(requests, nth);
    char *id = json_text(json_member(json_of(record), "id"));
    rollkeeper_string_free(record);
    return id;
}

/* The id of a reconciliation by its place in the list of all, and its digest where that is asked for; both to be freed. */
static char *nth_reconciliation(rollkeeper_engine *engine, unsigned long long nth, char **digest)
{
    rollkeeper_iterator *reconciliations = NULL;
    MUST(rollkeeper_engine_reconciliations(engine, NULL, 0, &reconciliations, &error));
    char *record = nth_record(reconciliations, nth);
    char *id = json_text(json_member(json_of(record), "id"));
    if (digest != NULL)
        *digest = json_text(json_member(json_of(record), "digest"));
    rollkeeper_string_free(record);
    return id;
}

static void add_answer(stage *on, const char *text)
{
    if (on->answers.length > 0)
        buffer_add(&on->answers, ",", 1);
    buffer_add(&on->answers, text, strlen(text));
}

/* Keeps an alert. */
static void take_alert(void *context, const char *alert, size_t length)
{
    buffer *alerts = context;
    if (alerts->length > 0)
        buffer_add(alerts, ",", 1);
    buffer_add(alerts, alert, length);
}

/* Keeps the answer of a verb and frees its text. */
static void answer(stage *on, json step, rollkeeper_status status, char **text, rollkeeper_error **error)
{
    expect(step, status, error);
    if (*text != NULL)
        add_answer(on, *text);
    rollkeeper_string_free(*text);
}

static void run(stage *on, json step)
{
    rollkeeper_run_options options = {0};
    options.struct_size = sizeof options;
    options.workers = 1;
    char *progress = NULL;
    rollkeeper_error *error = NULL;
    expect(step, rollkeeper_engine_run(on->engine, &options, &progress, &error), &error);
    rollkeeper_string_free(progress);
}

static void script(stage *on, json step, const char *app, json faults)
{
    rollkeeper_mock_target *target = NULL;
    MUST(rollkeeper_engine_mock_target(on->engine, app, &target, &error));
    rollkeeper_error *error = NULL;
    expect(step, rollkeeper_mock_target_script(target, faults.start, faults.length, &error), &error);
    rollkeeper_mock_target_free(target);
}

/* The app and the user may be ids, or documents that are not stored. */
static void preview(stage *on, json step, json app, json user)
{
    char *app_id = json_text(app), *user_id = json_text(user), *text = NULL;
    rollkeeper_error *error = NULL;
    rollkeeper_status status;
    if (app_id != NULL && user_id != NULL)
        status = rollkeeper_engine_preview(on->engine, app_id, user_id, &text, &error);
    else
        status = rollkeeper_engine_preview_documents(on->engine, app_id, app_id == NULL ? app.start : NULL, app.length, user_id,
                                                     user_id == NULL ? user.start : NULL, user.length, &text, &error);
    expect(step, status, &error);
    if (text != NULL)
        add_answer(on, text);
    rollkeeper_string_free(text);
    free(app_id);
    free(user_id);
}

/* Every user whom the definition would touch, and then the totals. */
static void impact(stage *on, json step, json app, json options)
{
    rollkeeper_impact *users = NULL;
    rollkeeper_error *error = NULL;
    char *text = NULL;
    expect(step, rollkeeper_engine_impact(on->engine, app.start, app.length, options.start, options.length, &users, &error), &error);
    if (users == NULL)
        return;
    for (; rollkeeper_impact_next(users, &text, NULL) == ROLLKEEPER_OK; rollkeeper_string_free(text))
        add_answer(on, text);
    MUST(rollkeeper_impact_summary(users, &text, &error));
    add_answer(on, text);
    rollkeeper_string_free(text);
    rollkeeper_impact_free(users);
}

/* Performs a step about one request: cancel, approve, deny, retry, complete_manually. */
static void decide(stage *on, json step, const char *verb, json argument, const char *by)
{
    char *id = nth_request(on->engine, json_number(json_member(argument, "nth")));
    char *note = json_text(json_member(argument, "note")), *request = NULL;
    char *external_id = json_text(json_member(argument, "external_id"));
    const char *person = by == NULL ? "operator" : by;
    rollkeeper_error *error = NULL;
    rollkeeper_status status;
    if (strcmp(verb, "cancel") == 0)
        status = rollkeeper_engine_cancel(on->engine, id, by, &request, &error);
    else if (strcmp(verb, "approve") == 0)
        status = rollkeeper_engine_approve(on->engine, id, person, note, &request, &error);
    else if (strcmp(verb, "deny") == 0)
        status = rollkeeper_engine_deny(on->engine, id, person, note, &request, &error);
    else if (strcmp(verb, "retry") == 0)
        status = rollkeeper_engine_retry(on->engine, id, person, &request, &error);
    else
        status = rollkeeper_engine_complete_manually(on->engine, id, person, note == NULL ? "" : note, external_id, &request, &error);
    expect(step, status, &error);
    rollkeeper_string_free(request);
    free(note);
    free(external_id);
    free(id);
}

/* Keeps every record of a list as an answer. */
static void answer_all(stage *on, json step, rollkeeper_status status, rollkeeper_iterator **list, rollkeeper_error **error)
{
    expect(step, status, error);
    if (*list == NULL)
        return;
    for (char *record; (record = take_next(*list)) != NULL; rollkeeper_string_free(record))
        add_answer(on, record);
    rollkeeper_iterator_free(*list);
}

/* Performs a step about one plan: reconciliation, plan, commit, release, review, undo. */
static void reconciled(stage *on, json step, const char *verb, json argument, const char *by)
{
    json request = json_member(argument, "request"), filter = json_member(argument, "filter");
    json decision = json_member(argument, "decision");
    char *digest = NULL, *given = json_text(json_member(argument, "digest")), *text = NULL;
    char *id = request.start != NULL ? nth_request(on->engine, json_number(request))
                                     : nth_reconciliation(on->engine, json_number(json_member(argument, "nth")), &digest);
    const char *plan = given != NULL ? given : digest != NULL ? digest : "", *person = by == NULL ? "operator" : by;
    rollkeeper_iterator *items = NULL;
    rollkeeper_error *error = NULL;
    if (strcmp(verb, "reconciliation") == 0)
        answer(on, step, rollkeeper_engine_reconciliation(on->engine, id, &text, &error), &text, &error);
    else if (strcmp(verb, "plan") == 0)
        answer_all(on, step, rollkeeper_engine_plan(on->engine, id, filter.start, filter.length, &items, &error), &items, &error);
    else if (strcmp(verb, "commit") == 0)
        answer(on, step, rollkeeper_engine_commit(on->engine, id, plan, person, &text, &error), &text, &error);
    else if (strcmp(verb, "release") == 0)
        answer(on, step, rollkeeper_engine_release(on->engine, id, plan, person, &text, &error), &text, &error);
    else if (strcmp(verb, "review") == 0)
        answer(on, step, rollkeeper_engine_review(on->engine, id, json_number(json_member(argument, "item")), decision.start,
                                                  decision.length, person, &text, &error), &text, &error);
    else
        answer(on, step, rollkeeper_engine_undo(on->engine, id, person, &text, &error), &text, &error);
    free(digest);
    free(given);
    free(id);
}

/* Changes an account behind the engine's back. */
static void change_account(stage *on, json step, const char *app, json argument)
{
    json account = json_member(argument, "account");
    char *external_id = json_text(json_member(argument, "external_id"));
    rollkeeper_mock_target *target = NULL;
    rollkeeper_error *error = NULL;
    bool removed = false;
    MUST(rollkeeper_engine_mock_target(on->engine, app, &target, &error));
    if (account.start != NULL)
        expect(step, rollkeeper_mock_target_put_account(target, account.start, account.length, &error), &error);
    else
        expect(step, rollkeeper_mock_target_remove_account(target, external_id, &removed, &error), &error);
    rollkeeper_mock_target_free(target);
    free(external_id);
}

/* Performs a step that begins a reconciliation, or lists them. Gives false where it is another step. */
static bool reconcile(stage *on, json step, const char *verb, json argument, const char *app, const char *by)
{
    static const char *const plans[] = {"reconciliation", "plan", "commit", "release", "review", "undo"};
    char *plain = json_text(argument), *text = NULL;
    rollkeeper_iterator *list = NULL;
    rollkeeper_error *error = NULL;
    bool known = true;
    for (size_t index = 0; index < sizeof plans / sizeof *plans; index++)
        if (strcmp(verb, plans[index]) == 0) {
            reconciled(on, step, verb, argument, by);
            return true;
        }
    if (strcmp(verb, "reconcile") == 0) {
        answer(on, step, rollkeeper_engine_reconcile(on->engine, plain, by, &text, &error), &text, &error);
    } else if (strcmp(verb, "stage_accounts") == 0) {
        json accounts = json_member(argument, "accounts");
        bool complete = json_is(json_member(argument, "complete"), "true");
        answer(on, step, rollkeeper_engine_stage_accounts(on->engine, app, accounts.start, accounts.length, complete, by, &text, &error), &text, &error);
    } else if (strcmp(verb, "reconciliations") == 0) {
        answer_all(on, step, rollkeeper_engine_reconciliations(on->engine, argument.start, argument.length, &list, &error), &list, &error);
    } else if (strcmp(verb, "put_account") == 0 || strcmp(verb, "remove_account") == 0) {
        change_account(on, step, app, argument);
    } else {
        known = false;
    }
    free(plain);
    return known;
}

/* A key as scenarios write it: the byte of which it is made, 32 times. NULL where there is none. */
static const uint8_t *key_of(json number, uint8_t key[32])
{
    if (number.start == NULL)
        return NULL;
    memset(key, (int)json_number(number), 32);
    return key;
}

/* Performs a step about secrets and keys. Gives false where it is another step. */
static bool credentials(stage *on, json step, const char *verb, json argument, const char *app, const char *by)
{
    rollkeeper_error *error = NULL;
    char *text = NULL;
    if (strcmp(verb, "set_secret") == 0) {
        char *name = json_text(json_member(argument, "name")), *value = json_text(json_member(argument, "value"));
        expect(step, rollkeeper_engine_set_secret(on->engine, app, name, value, value == NULL ? 0 : strlen(value), by, &error), &error);
        free(name);
        free(value);
    } else if (strcmp(verb, "credentials") == 0) {
        char *id = json_text(argument);
        answer(on, step, rollkeeper_engine_credentials(on->engine, id, &text, &error), &text, &error);
        free(id);
    } else if (strcmp(verb, "rotate_key") == 0) {
        uint8_t old_key[32], new_key[32];
        const uint8_t *old = key_of(json_member(argument, "old"), old_key);
        expect(step, rollkeeper_engine_rotate_key(on->engine, old, key_of(json_member(argument, "new"), new_key), by, &error), &error);
    } else {
        return false;
    }
    return true;
}

/* Performs a step that holds, resumes, or looks at what is held. Gives false where it is another step. */
static bool hold(stage *on, json step, const char *verb, json argument, const char *app, const char *user, const char *by)
{
    json nth = json_member(argument, "request");
    const char *person = by == NULL ? "operator" : by;
    rollkeeper_iterator *list = NULL;
    rollkeeper_error *error = NULL;
    char *text = NULL;
    if (strcmp(verb, "hold") == 0 || strcmp(verb, "resume") == 0) {
        char *reason = json_text(json_member(argument, "reason"));
        char *request = nth.start == NULL ? NULL : nth_request(on->engine, json_number(nth));
        if (strcmp(verb, "hold") == 0)
            answer(on, step, rollkeeper_engine_hold(on->engine, app, user, request, person, reason == NULL ? "" : reason, &text, &error), &text, &error);
        else
            answer(on, step, rollkeeper_engine_resume(on->engine, app, user, request, person, &text, &error), &text, &error);
        free(request);
        free(reason);
    } else if (strcmp(verb, "holds") == 0) {
        answer_all(on, step, rollkeeper_engine_holds(on->engine, &list, &error), &list, &error);
    } else if (strcmp(verb, "requests") == 0) {
        answer_all(on, step, rollkeeper_engine_requests(on->engine, argument.start, argument.length, &list, &error), &list, &error);
    } else if (strcmp(verb, "maintenance") == 0) {
        expect(step, rollkeeper_engine_set_maintenance(on->engine, app, json_is(json_member(argument, "on"), "true"), person, &error), &error);
    } else {
        return false;
    }
    return true;
}

static bool is_decision(const char *verb)
{
    static const char *const decisions[] = {"cancel", "approve", "deny", "retry", "complete_manually"};
    for (size_t index = 0; index < sizeof decisions / sizeof *decisions; index++)
        if (strcmp(verb, decisions[index]) == 0)
            return true;
    return false;
}

static void play(stage *on, json step, const char *verb, json argument)
{
    char *by = json_text(json_member(step, "by"));
    char *app = json_text(json_member(argument, "app")), *user = json_text(json_member(argument, "user"));
    char *plain = json_text(argument), *text = NULL;
    rollkeeper_error *error = NULL;
    if (strcmp(verb, "put_app") == 0) {
        expect(step, rollkeeper_engine_put_app(on->engine, argument.start, argument.length, by, NULL, &error), &error);
    } else if (strcmp(verb, "put_user") == 0) {
        expect(step, rollkeeper_engine_put_user(on->engine, argument.start, argument.length, by, NULL, &error), &error);
    } else if (strcmp(verb, "put_users") == 0) {
        expect(step, rollkeeper_engine_put_users(on->engine, argument.start, argument.length, by, &text, &error), &error);
        if (text != NULL)
            add_answer(on, text);
        rollkeeper_string_free(text);
    } else if (strcmp(verb, "put_users_snapshot") == 0) {
        rollkeeper_status status =
            rollkeeper_engine_put_users_snapshot(on->engine, argument.start, argument.length, by, &text, &error);
        expect(step, status, &error);
        if (text != NULL)
            add_answer(on, text);
        rollkeeper_string_free(text);
    } else if (strcmp(verb, "delete_app") == 0) {
        expect(step, rollkeeper_engine_delete_app(on->engine, plain, by, NULL, &error), &error);
    } else if (strcmp(verb, "delete_user") == 0) {
        expect(step, rollkeeper_engine_delete_user(on->engine, plain, by, NULL, &error), &error);
    } else if (strcmp(verb, "submit") == 0) {
        char *operation = json_text(json_member(argument, "operation"));
        char *not_before = json_text(json_member(argument, "not_before"));
        expect(step, rollkeeper_engine_submit(on->engine, app, user, operation, by, not_before, &text, &error), &error);
        rollkeeper_string_free(text);
        free(operation);
        free(not_before);
    } else if (is_decision(verb)) {
        decide(on, step, verb, argument, by);
    } else if (strcmp(verb, "advance") == 0) {
        expect(step, rollkeeper_virtual_clock_advance(on->clock, plain, &error), &error);
    } else if (strcmp(verb, "run") == 0) {
        run(on, step);
    } else if (strcmp(verb, "script") == 0) {
        script(on, step, app, json_member(argument, "faults"));
    } else if (strcmp(verb, "set_schema") == 0) {
        rollkeeper_mock_target *target = NULL;
        json attributes = json_member(argument, "attributes");
        MUST(rollkeeper_engine_mock_target(on->engine, app, &target, &error));
        expect(step, rollkeeper_mock_target_set_schema(target, attributes.start, attributes.length, &error), &error);
        rollkeeper_mock_target_free(target);
    } else if (strcmp(verb, "discover") == 0) {
        answer(on, step, rollkeeper_engine_discover(on->engine, plain, &text, &error), &text, &error);
    } else if (strcmp(verb, "probe") == 0) {
        bool sandbox = json_is(json_member(argument, "sandbox"), "true");
        answer(on, step, rollkeeper_engine_probe(on->engine, app, sandbox, by, &text, &error), &text, &error);
    } else if (strcmp(verb, "suggest_mapping") == 0) {
        answer(on, step, rollkeeper_engine_suggest_mapping(on->engine, plain, &text, &error), &text, &error);
    } else if (strcmp(verb, "validate_app") == 0) {
        answer(on, step, rollkeeper_engine_validate_app(on->engine, argument.start, argument.length, &text, &error), &text, &error);
    } else if (strcmp(verb, "alerts") == 0) {
        if (on->alerts->length > 0)
            add_answer(on, on->alerts->text);
        on->alerts->length = 0;
    } else if (strcmp(verb, "metrics") == 0) {
        answer(on, step, rollkeeper_engine_metrics(on->engine, &text, &error), &text, &error);
    } else if (strcmp(verb, "explain") == 0) {
        expect(step, rollkeeper_engine_explain(on->engine, app, user, &text, &error), &error);
        if (text != NULL)
            add_answer(on, text);
        rollkeeper_string_free(text);
    } else if (strcmp(verb, "preview") == 0) {
        preview(on, step, json_member(argument, "app"), json_member(argument, "user"));
    } else if (strcmp(verb, "impact") == 0) {
        impact(on, step, json_member(argument, "app"), json_member(argument, "options"));
    } else if (!hold(on, step, verb, argument, app, user, by) && !credentials(on, step, verb, argument, app, by)
        && !reconcile(on, step, verb, argument, app, by)) {
        fprintf(stderr, "unknown step: %s\n", verb);
        exit(1);
    }
    free(by);
    free(app);
    free(user);
    free(plain);
}

/* Prints the records of an iterator with commas between them. */
static void print_records(rollkeeper_iterator *records)
{
    const char *comma = "";
    for (char *record; (record = take_next(records)) != NULL; rollkeeper_string_free(record), comma = ",")
        printf("%s%s", comma, record);
    rollkeeper_iterator_free(records);
}

static void print_calls(rollkeeper_engine *engine)
{
    rollkeeper_iterator *apps = NULL;
    MUST(rollkeeper_engine_apps(engine, &apps, &error));
    const char *comma = "";
    for (char *app; (app = take_next(apps)) != NULL; rollkeeper_string_free(app), comma = ",") {
        json quoted = json_member(json_of(app), "id");
        char *id = json_text(quoted), *calls = NULL;
        rollkeeper_mock_target *target = NULL;
        MUST(rollkeeper_engine_mock_target(engine, id, &target, &error));
        MUST(rollkeeper_mock_target_calls(target, &calls, &error));
        printf("%s%.*s:%s", comma, (int)quoted.length, quoted.start, calls);
        rollkeeper_string_free(calls);
        rollkeeper_mock_target_free(target);
        free(id);
    }
    rollkeeper_iterator_free(apps);
}

static void print_requests(rollkeeper_engine *engine)
{
    rollkeeper_iterator *requests = NULL;
    MUST(rollkeeper_engine_requests(engine, NULL, 0, &requests, &error));
    const char *comma = "";
    for (char *request; (request = take_next(requests)) != NULL; rollkeeper_string_free(request), comma = ",") {
        char *id = json_text(json_member(json_of(request), "id")), *detail = NULL;
        MUST(rollkeeper_engine_request(engine, id, &detail, &error));
        printf("%s%s", comma, detail);
        rollkeeper_string_free(detail);
        free(id);
    }
    rollkeeper_iterator_free(requests);
}

static void print_all(stage *on)
{
    rollkeeper_iterator *records = NULL;
    MUST(rollkeeper_engine_accounts(on->engine, NULL, 0, &records, &error));
    printf("{\"accounts\":[");
    print_records(records);
    printf("],\"answers\":[%s],\"calls\":{", on->answers.length > 0 ? on->answers.text : "");
    print_calls(on->engine);
    printf("},\"log\":[");
    MUST(rollkeeper_engine_log(on->engine, NULL, 0, &records, &error));
    print_records(records);
    printf("],\"requests\":[");
    print_requests(on->engine);
    printf("]}\n");
}

static stage open_stage(json scenario)
{
    stage on = {0};
    char *start = json_text(json_member(scenario, "start"));
    MUST(rollkeeper_virtual_clock_new(start, &on.clock, &error));
    free(start);
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.has_seed = 1;
    options.seed = json_number(json_member(scenario, "seed"));
    options.virtual_clock = on.clock;
    uint8_t key[32];
    options.key = key_of(json_member(scenario, "key"), key);
    on.alerts = calloc(1, sizeof *on.alerts);
    CHECK(on.alerts != NULL);
    rollkeeper_alerts alerts = {sizeof alerts, on.alerts, NULL, take_alert};
    options.alerts = &alerts;
    MUST(rollkeeper_engine_open(&options, &on.engine, &error));
    json app;
    for (size_t index = 0; (app = json_item(json_member(scenario, "apps"), index)).start != NULL; index++)
        MUST(rollkeeper_engine_put_app(on.engine, app.start, app.length, NULL, NULL, &error));
    return on;
}

int main(int argc, char **argv)
{
    for (int file = 1; file < argc; file++) {
        char *text = read_file(argv[file]);
        json scenario = json_of(text), steps = json_member(scenario, "steps"), step, key, argument;
        stage on = open_stage(scenario);
        for (size_t index = 0; (step = json_item(steps, index)).start != NULL; index++)
            for (size_t member = 0; (argument = json_pair(step, member, &key)).start != NULL; member++) {
                char *verb = json_text(key);
                if (strcmp(verb, "by") != 0 && strcmp(verb, "error") != 0)
                    play(&on, step, verb, argument);
                free(verb);
            }
        print_all(&on);
        free(on.answers.text);
        rollkeeper_engine_free(on.engine);
        free(on.alerts->text);
        free(on.alerts);
        rollkeeper_virtual_clock_free(on.clock);
        free(text);
    }
    return 0;
}
