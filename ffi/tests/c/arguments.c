/*
 * Every function of the header with every handle NULL and every text that is not UTF-8, one at a time: the call is refused
 * with its code, the error names the argument, and no output is touched. The calls come from arguments.rs.
 */
#include "check.h"

/* What may be given: one of each. The reply is that of a callback that is running. */
static struct {
    rollkeeper_analysis *analysis;
    rollkeeper_engine *engine;
    rollkeeper_impact *impact;
    const rollkeeper_input *input;
    rollkeeper_mapping *mapping;
    rollkeeper_mock_target *mock_target;
    rollkeeper_virtual_clock *virtual_clock;
    rollkeeper_reply *reply;
    rollkeeper_connector connector;
} valid;

/* Where the outputs go. */
static struct {
    char *char_value;
    bool bool_value;
    char buffer[2];
    size_t length;
    rollkeeper_analysis *analysis;
    rollkeeper_iterator *iterator;
    rollkeeper_impact *impact;
    rollkeeper_mapping *mapping;
    rollkeeper_mock_target *mock_target;
    rollkeeper_virtual_clock *virtual_clock;
} made;

static int tried;

/* A connector's method, and with it the place where a reply is to be had. */
static void test(void *context, const char *request, size_t request_length, rollkeeper_reply *reply)
{
    (void)context, (void)request, (void)request_length;
    valid.reply = reply;
#include "calls.h"
    CHECK(made.char_value == NULL && !made.bool_value && made.iterator == NULL);
    CHECK(made.buffer[0] == 0 && made.length == 0 && made.mapping == NULL && made.impact == NULL);
    CHECK(made.mock_target == NULL && made.virtual_clock == NULL && made.analysis == NULL);
    tried++;
}

int main(void)
{
    MUST(rollkeeper_engine_open(NULL, &valid.engine, &error));
    const char *app = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}}";
    MUST(rollkeeper_engine_impact(valid.engine, DOCUMENT(app), NULL, 0, &valid.impact, &error));
    rollkeeper_input input = {0};
    input.struct_size = sizeof input;
    input.text = "[]";
    input.text_length = 2;
    valid.input = &input;
    MUST(rollkeeper_analyze(&input, &input, NULL, NULL, 0, &valid.analysis, &error));
    MUST(rollkeeper_mapping_compile(DOCUMENT("[]"), &valid.mapping, &error));
    MUST(rollkeeper_mock_target_new(NULL, 0, &valid.mock_target, &error));
    MUST(rollkeeper_virtual_clock_new("2026-11-20T09:00:00Z", &valid.virtual_clock, &error));
    valid.connector.struct_size = sizeof valid.connector;
    rollkeeper_connector connector = valid.connector;
    connector.test = test;
    char *report = NULL;
    MUST(rollkeeper_check_connector(&connector, NULL, 0, &report, &error));
    CHECK(tried > 0);
    rollkeeper_string_free(report);
    rollkeeper_virtual_clock_free(valid.virtual_clock);
    rollkeeper_mapping_free(valid.mapping);
    rollkeeper_mock_target_free(valid.mock_target);
    rollkeeper_impact_free(valid.impact);
    rollkeeper_analysis_free(valid.analysis);
    rollkeeper_engine_free(valid.engine);
    return 0;
}
