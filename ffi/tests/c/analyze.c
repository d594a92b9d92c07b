/*
 * Puts every case of files such as tests/data/reconciliation/analyze.json to the library: analyze FILE…
 * Prints one line for each: the findings and the totals as they came, or the error as JSON.
 */
#include "check.h"
#include "json.h"

/* A list as it stands, or the text of a string. */
static rollkeeper_input input_of(json records, char **text)
{
    rollkeeper_input input = {0};
    input.struct_size = sizeof input;
    *text = json_text(records);
    input.text = *text != NULL ? *text : records.start;
    input.text_length = *text != NULL ? strlen(*text) : records.length;
    return input;
}

static void print_analysis(rollkeeper_analysis *analysis)
{
    char *text = NULL;
    const char *comma = "";
    printf("{\"findings\":[");
    for (;; comma = ",") {
        rollkeeper_error *error = NULL;
        rollkeeper_status status = rollkeeper_analysis_next(analysis, &text, &error);
        CHECK(status == ROLLKEEPER_OK || status == ROLLKEEPER_DONE);
        if (status == ROLLKEEPER_DONE)
            break;
        printf("%s%s", comma, text);
        rollkeeper_string_free(text);
    }
    CHECK(rollkeeper_analysis_next(analysis, &text, NULL) == ROLLKEEPER_DONE);
    MUST(rollkeeper_analysis_counts(analysis, &text, &error));
    printf("],\"totals\":%s}\n", text);
    rollkeeper_string_free(text);
    rollkeeper_analysis_free(analysis);
}

static void answer_case(json one)
{
    json options = json_member(one, "options"), linked = json_member(one, "links");
    char *user_text = NULL, *account_text = NULL, *link_text = NULL;
    rollkeeper_input users = input_of(json_member(one, "users"), &user_text);
    rollkeeper_input accounts = input_of(json_member(one, "accounts"), &account_text);
    rollkeeper_input links = input_of(linked, &link_text);
    rollkeeper_analysis *analysis = NULL;
    rollkeeper_error *error = NULL;
    rollkeeper_status status = rollkeeper_analyze(&users, &accounts, linked.start == NULL ? NULL : &links, options.start,
                                                  options.length, &analysis, &error);
    CHECK((status == ROLLKEEPER_OK) == (analysis != NULL) && (status == ROLLKEEPER_OK) == (error == NULL));
    if (analysis != NULL)
        print_analysis(analysis);
    else
        puts(rollkeeper_error_json(error));
    rollkeeper_error_free(error);
    free(user_text);
    free(account_text);
    free(link_text);
}

/* What the input must be: a size that was set, one of text and path, and a file that is there. */
static void refuse_bad_input(void)
{
    rollkeeper_analysis *analysis = NULL;
    rollkeeper_input good = {0}, bad = {0};
    good.struct_size = sizeof good;
    good.text = "[]";
    good.text_length = 2;
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "`users`", rollkeeper_analyze(&bad, &good, NULL, NULL, 0, &analysis, &error));
    bad.struct_size = sizeof bad;
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "`accounts`", rollkeeper_analyze(&good, &bad, NULL, NULL, 0, &analysis, &error));
    bad.path = "/nowhere/users.ndjson";
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "", rollkeeper_analyze(&bad, &good, NULL, NULL, 0, &analysis, &error));
    bad.text = "[]";
    FAILS(ROLLKEEPER_INVALID_ARGUMENT, "`links`", rollkeeper_analyze(&good, &good, &bad, NULL, 0, &analysis, &error));
    bad.path = "\xFF";
    bad.text = NULL;
    FAILS(ROLLKEEPER_INVALID_UTF8, "`links`", rollkeeper_analyze(&good, &good, &bad, NULL, 0, &analysis, &error));
    bad.text = "x\xFF";
    bad.text_length = 2;
    bad.path = NULL;
    FAILS(ROLLKEEPER_INVALID_UTF8, "`users`", rollkeeper_analyze(&bad, &good, NULL, NULL, 0, &analysis, &error));
    CHECK(analysis == NULL);
}

/* A file is read as text is. */
static void read_a_file(const char *path)
{
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL && fputs("{\"id\": \"u1\"}\n\n{\"id\": \"u2\"}", file) >= 0 && fclose(file) == 0);
    rollkeeper_input users = {0}, accounts = {0};
    users.struct_size = accounts.struct_size = sizeof users;
    users.path = path;
    accounts.text = "";
    rollkeeper_analysis *analysis = NULL;
    char *counts = NULL;
    MUST(rollkeeper_analyze(&users, &accounts, NULL, NULL, 0, &analysis, &error));
    MUST(rollkeeper_analysis_counts(analysis, &counts, &error));
    must_contain(counts, "\"absent\":2,");
    rollkeeper_analysis_free(analysis);
}

int main(int argc, char **argv)
{
    CHECK(argc > 2);
    refuse_bad_input();
    read_a_file(argv[1]);
    for (int file = 2; file < argc; file++) {
        char *text = read_file(argv[file]);
        json cases = json_of(text), one;
        for (size_t index = 0; (one = json_item(cases, index)).start != NULL; index++)
            answer_case(one);
        free(text);
    }
    return 0;
}
