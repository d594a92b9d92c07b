/*
 * Has every case of files of tests/data/definitions judged by the library: definitions FILE…
 * Prints one line for each, the answer as it came.
 */
#include "check.h"
#include "json.h"

static void judge(rollkeeper_engine *engine, json app)
{
    /* A text is the document itself, which need not be JSON. */
    char *text = json_text(app), *answer = NULL;
    const char *document = text != NULL ? text : app.start;
    MUST(rollkeeper_engine_validate_app(engine, document, text != NULL ? strlen(text) : app.length, &answer, &error));
    puts(answer);
    rollkeeper_string_free(answer);
    free(text);
}

int main(int argc, char **argv)
{
    rollkeeper_engine *engine = NULL;
    MUST(rollkeeper_engine_open(NULL, &engine, &error));
    for (int file = 1; file < argc; file++) {
        char *text = read_file(argv[file]);
        json cases = json_of(text), one;
        for (size_t index = 0; (one = json_item(cases, index)).start != NULL; index++)
            judge(engine, json_member(one, "app"));
        free(text);
    }
    rollkeeper_engine_free(engine);
    return 0;
}
