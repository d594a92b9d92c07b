/* The journey on the mock target: a user joins, moves and leaves. Also a first example of the C interface. */
#include "check.h"

static const char APP[] =
    "{\"id\": \"crm\", \"label\": \"CRM\", \"launch_url\": \"https://crm.example.com\", \"connector\": {\"kind\": \"mock\"},"
    " \"assigned_to\": {\"profiles\": [\"Nurses\"]},"
    " \"mapping\": [{\"target\": \"userName\", \"source\": \"username\", \"required\": true},"
    "               {\"target\": \"name.familyName\", \"source\": \"last_name\"},"
    "               {\"target\": \"title\", \"expression\": \"user.title\"}],"
    " \"matching\": [{\"all\": [{\"user\": \"username\", \"account\": \"userName\"}]}]}";

static const char JOINER[] = "{\"id\": \"u1\", \"username\": \"amelie\", \"active\": true, \"profile\": \"Nurses\","
                             " \"last_name\": \"D\xC3\xBCrr\", \"title\": \"Nurse\"}";
static const char MOVER[] = "{\"id\": \"u1\", \"username\": \"amelie\", \"active\": true, \"profile\": \"Nurses\","
                            " \"last_name\": \"D\xC3\xBCrr\", \"title\": \"Charge Nurse\"}";

static const char TRIED[] =
    "{\"id\": \"hr\", \"connector\": {\"kind\": \"scim\", \"base_url\": \"https://hr.example.com/scim/v2\"},"
    " \"assigned_to\": {\"profiles\": [\"Nurses\"]}, \"create_without_match\": true,"
    " \"mapping\": [{\"target\": \"userName\", \"source\": \"username\", \"required\": true}]}";

static int log_entries, log_freed, told, stop;

static void count_entry(void *context, const char *entry, size_t length)
{
    CHECK(context == &log_entries && entry[0] == '{' && entry[length] == '\0');
    log_entries++;
}

static void free_log(void *context)
{
    CHECK(context == &log_entries);
    log_freed++;
}

static int32_t count_progress(void *context, const char *progress, size_t length)
{
    CHECK(context == &told && progress[0] == '{' && length > 2);
    told++;
    return stop;
}

static void run(rollkeeper_engine *engine)
{
    rollkeeper_run_options options = {0};
    options.struct_size = sizeof options;
    options.workers = 2;
    options.context = &told;
    options.progress = count_progress;
    char *progress = NULL;
    MUST(rollkeeper_engine_run(engine, &options, &progress, &error));
    must_contain(progress, stop ? "\"stopped\":true" : "\"open\":0");
}

int main(void)
{
    CHECK(rollkeeper_abi_version() == ROLLKEEPER_ABI_VERSION);
    CHECK(strcmp(rollkeeper_version(), ROLLKEEPER_VERSION) == 0);

    rollkeeper_virtual_clock *clock = NULL;
    MUST(rollkeeper_virtual_clock_new("2026-11-20T10:00:00+01:00", &clock, &error));
    rollkeeper_log log = {sizeof log, &log_entries, free_log, count_entry};
    rollkeeper_open_options options = {0};
    options.struct_size = sizeof options;
    options.seed = 7;
    options.has_seed = 1;
    options.log = &log;
    options.virtual_clock = clock;
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(&options, &engine, &error));

    char *text = NULL;
    rollkeeper_iterator *list = NULL;
    MUST(rollkeeper_engine_validate_app(engine, DOCUMENT(APP), &text, &error));
    must_contain(text, "\"findings\":[]");
    MUST(rollkeeper_engine_put_app(engine, DOCUMENT(APP), "admin", &list, &error));
    CHECK(count_records(list, "") == 0);

    /* joins */
    MUST(rollkeeper_engine_put_user(engine, DOCUMENT(JOINER), "hr", &list, &error));
    CHECK(count_records(list, "\"operation\":\"Create\"") == 1);
    MUST(rollkeeper_engine_preview(engine, "crm", "u1", &text, &error));
    must_contain(text, "\"familyName\"");

    /* a definition and a user are tried before they are stored */
    MUST(rollkeeper_engine_preview_documents(engine, NULL, DOCUMENT(TRIED), NULL, DOCUMENT(JOINER), &text, &error));
    must_contain(text, "\"path\":\"/scim/v2/Users\"");
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "`app_id`",
          rollkeeper_engine_preview_documents(engine, "crm", DOCUMENT(TRIED), "u1", NULL, 0, &text, &error));
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "`user_id`",
          rollkeeper_engine_preview_documents(engine, "crm", NULL, 0, NULL, NULL, 0, &text, &error));
    FAILS(ROLLKEEPER_NOT_FOUND, "no such app",
          rollkeeper_engine_preview_documents(engine, "erp", NULL, 0, "u1", NULL, 0, &text, &error));
    rollkeeper_impact *impact = NULL;
    FAILS(ROLLKEEPER_UNKNOWN_KEY, "surprise",
          rollkeeper_engine_impact(engine, DOCUMENT(TRIED), DOCUMENT("{\"surprise\": 1}"), &impact, &error));
    MUST(rollkeeper_engine_impact(engine, DOCUMENT(TRIED), DOCUMENT("{\"values\": true}"), &impact, &error));
    MUST(rollkeeper_impact_summary(impact, &text, &error));
    must_contain(text, "\"users\":0");
    MUST(rollkeeper_impact_next(impact, &text, &error));
    must_contain(text, "\"after\":\"am");
    CHECK(rollkeeper_impact_next(impact, &text, NULL) == ROLLKEEPER_DONE);
    MUST(rollkeeper_impact_summary(impact, &text, &error));
    must_contain(text, "\"operations\":{\"Create\":1}");
    rollkeeper_impact_free(impact);
    MUST(rollkeeper_engine_impact(engine, DOCUMENT(TRIED), NULL, 0, &impact, &error));
    MUST(rollkeeper_impact_cancel(impact, &error));
    CHECK(rollkeeper_impact_next(impact, &text, NULL) == ROLLKEEPER_DONE);
    rollkeeper_impact_free(impact);
    rollkeeper_impact_free(NULL);
    run(engine);
    CHECK(told > 0 && log_entries > 0);
    rollkeeper_mock_target *target = NULL;
    MUST(rollkeeper_engine_mock_target(engine, "crm", &target, &error));
    MUST(rollkeeper_mock_target_accounts(target, &text, &error));
    must_contain(text, "amelie");
    MUST(rollkeeper_engine_launcher(engine, "u1", &list, &error));
    CHECK(count_records(list, "https://crm.example.com") == 1);

    /* moves */
    MUST(rollkeeper_virtual_clock_advance(clock, "PT1H", &error));
    MUST(rollkeeper_virtual_clock_now(clock, &text, &error));
    must_contain(text, "2026-11-20T10:00:00Z");
    MUST(rollkeeper_engine_put_user(engine, DOCUMENT(MOVER), "hr", &list, &error));
    CHECK(count_records(list, "\"operation\":\"Update\"") == 1);
    stop = 1;
    run(engine);
    stop = 0;
    run(engine);
    MUST(rollkeeper_mock_target_accounts(target, &text, &error));
    must_contain(text, "Charge Nurse");

    /* leaves */
    MUST(rollkeeper_engine_delete_user(engine, "u1", "hr", NULL, &error));
    run(engine);
    MUST(rollkeeper_mock_target_accounts(target, &text, &error));
    must_contain(text, "\"active\":false");
    MUST(rollkeeper_mock_target_calls(target, &text, &error));
    must_contain(text, "deactivate");
    MUST(rollkeeper_engine_explain(engine, "crm", "u1", &text, &error));
    must_contain(text, "\"summary\"");

    /* evidence */
    const char *completed = "{\"app\": \"crm\", \"state\": \"Completed\"}";
    MUST(rollkeeper_engine_requests(engine, DOCUMENT(completed), &list, &error));
    CHECK(count_records(list, "\"state\":\"Completed\"") == 3);
    MUST(rollkeeper_engine_accounts(engine, NULL, 0, &list, &error));
    CHECK(count_records(list, "\"status\":\"Deactivated\"") == 1);
    MUST(rollkeeper_engine_log(engine, NULL, 0, &list, &error));
    CHECK(count_records(list, "\"hash\"") == log_entries);
    MUST(rollkeeper_engine_verify_log(engine, &text, &error));
    must_contain(text, "\"whole\":true");

    /* the definition goes out and in as the same bytes */
    char *first = NULL, *second = NULL;
    MUST(rollkeeper_engine_export_app(engine, "crm", &first, &error));
    MUST(rollkeeper_engine_import_app(engine, DOCUMENT(first), NULL, NULL, &error));
    MUST(rollkeeper_engine_export_app(engine, "crm", &second, &error));
    CHECK(strcmp(first, second) == 0);
    rollkeeper_string_free(first);
    rollkeeper_string_free(second);

    /* an iterator outlives its engine and says so */
    MUST(rollkeeper_engine_log(engine, NULL, 0, &list, &error));
    rollkeeper_virtual_clock_free(clock);
    rollkeeper_engine_free(engine);
    CHECK(log_freed == 1);
    FAILS(ROLLKEEPER_CLOSED, "closed", rollkeeper_iterator_next(list, &text, &error));
    rollkeeper_iterator_free(list);
    MUST(rollkeeper_mock_target_calls(target, &text, &error));
    must_contain(text, "create");
    rollkeeper_mock_target_free(target);

    /* pure functions */
    const char *user = "{\"id\": \"u1\", \"first_name\": \"Zo\xC3\xAB\"}";
    MUST(rollkeeper_check_expression("lookup('dept', user.dept)", DOCUMENT("{\"dept\": {\"X\": \"HR\"}}"), &text, &error));
    CHECK(strstr(text, "\"paths\":[\"dept\"],\"type\":\"string | null\"") != NULL);
    rollkeeper_string_free(text);
    MUST(rollkeeper_evaluate("user.first_name + '!'", DOCUMENT(user), "2026-11-20T00:00:00Z", &text, &error));
    must_contain(text, "\"Zo\xC3\xAB!\"");
    const char *mapping = "[{\"target\": \"name.givenName\", \"source\": \"first_name\"}]";
    MUST(rollkeeper_render(DOCUMENT(mapping), DOCUMENT(user), NULL, 0, NULL, 0, NULL, &text, &error));
    must_contain(text, "\"attributes\":{\"name\":{\"givenName\":\"Zo\xC3\xAB\"}}");
    return 0;
}
