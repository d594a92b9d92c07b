/*
 * Puts every case of files of tests/data/expression, tests/data/mapping and tests/data/matching to the library: cases FILE…
 * Prints one line for each: the answer as it came, or the error as JSON.
 */
#include "check.h"
#include "json.h"

#define NOW "2026-11-20T09:00:00Z"

static rollkeeper_status evaluate(json one, json user, char **answer, rollkeeper_error **error)
{
    char *expression = json_text(json_member(one, "expression"));
    CHECK(expression != NULL);
    json options = json_member(one, "options");
    rollkeeper_status status =
        options.start == NULL
            ? rollkeeper_evaluate(expression, user.start, user.length, NOW, answer, error)
            : rollkeeper_evaluate_with(expression, user.start, user.length, options.start, options.length, NOW, answer, error);
    free(expression);
    return status;
}

static rollkeeper_status render(json one, json user, char **answer, rollkeeper_error **error)
{
    json mapping = json_member(one, "mapping"), current = json_member(one, "current"), last = json_member(one, "last");
    return rollkeeper_render(mapping.start, mapping.length, user.start, user.length, current.start, current.length,
                             last.start, last.length, NOW, answer, error);
}

static rollkeeper_status match_accounts(json one, json user, char **answer, rollkeeper_error **error)
{
    json matching = json_member(one, "matching"), accounts = json_member(one, "accounts");
    return rollkeeper_match_accounts(matching.start, matching.length, user.start, user.length, accounts.start,
                                     accounts.length, answer, error);
}

/* A compiled mapping gives the same attributes, or fails with the same code. */
static void render_compiled(json one, json user, const char *answer, const rollkeeper_error *expected)
{
    json rules = json_member(one, "mapping");
    rollkeeper_mapping *mapping = NULL;
    rollkeeper_error *error = NULL;
    char text[4096] = "";
    size_t length = 0;
    rollkeeper_status status = rollkeeper_mapping_compile(rules.start, rules.length, &mapping, &error);
    if (status == ROLLKEEPER_OK)
        status = rollkeeper_mapping_render(mapping, user.start, user.length, NOW, text, sizeof text, &length, &error);
    CHECK(status == rollkeeper_error_number(expected));
    if (answer != NULL) {
        const char *attributes = answer + strlen("{\"attributes\":");
        CHECK(length < sizeof text && strlen(text) == length && strncmp(attributes, text, length) == 0);
        CHECK(strncmp(attributes + length, ",\"changes\":[]", 13) == 0);
    }
    rollkeeper_error_free(error);
    rollkeeper_mapping_free(mapping);
}

static void answer_case(json one)
{
    json user = json_member(one, "user");
    if (user.start == NULL)
        user = json_of("{}");
    char *answer = NULL;
    rollkeeper_error *error = NULL;
    rollkeeper_status status;
    int renders = json_member(one, "mapping").start != NULL;
    if (renders)
        status = render(one, user, &answer, &error);
    else if (json_member(one, "matching").start != NULL)
        status = match_accounts(one, user, &answer, &error);
    else
        status = evaluate(one, user, &answer, &error);
    CHECK((status == ROLLKEEPER_OK) == (answer != NULL) && (status == ROLLKEEPER_OK) == (error == NULL));
    if (renders && json_member(one, "current").start == NULL && json_member(one, "last").start == NULL)
        render_compiled(one, user, answer, error);
    puts(answer != NULL ? answer : rollkeeper_error_json(error));
    rollkeeper_string_free(answer);
    rollkeeper_error_free(error);
}

int main(int argc, char **argv)
{
    for (int file = 1; file < argc; file++) {
        char *text = read_file(argv[file]);
        json cases = json_of(text), one;
        for (size_t index = 0; (one = json_item(cases, index)).start != NULL; index++)
            answer_case(one);
        free(text);
    }
    return 0;
}
