/* Every pair of states and every event of the two files in tests/data: csv TRANSITIONS EVENTS. */
#include "check.h"

#define MOST 256

static char *fields[MOST][3];

/* Splits a file of three columns; gives the number of rows without the head. */
static int read_rows(char *text)
{
    int rows = 0;
    char *line = strtok(text, "\r\n");
    while (line != NULL && (line = strtok(NULL, "\r\n")) != NULL) {
        CHECK(rows < MOST);
        fields[rows][0] = line;
        for (int column = 1; column < 3; column++) {
            char *comma = strchr(fields[rows][column - 1], ',');
            CHECK(comma != NULL);
            *comma = '\0';
            fields[rows][column] = comma + 1;
        }
        rows++;
    }
    return rows;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    char *states[12], *events[MOST];
    int state_count = 0, event_count = 0;

    char *transitions = read_file(argv[1]);
    int rows = read_rows(transitions);
    CHECK(rows == 144);
    for (int row = 0; row < rows; row++) {
        bool allowed = false;
        MUST(rollkeeper_can_change(fields[row][0], fields[row][1], &allowed, &error));
        CHECK(allowed == (strcmp(fields[row][2], "yes") == 0));
        if (row % 12 == 0)
            states[state_count++] = fields[row][0];
    }
    CHECK(state_count == 12);

    char *listed = read_file(argv[2]);
    rows = read_rows(listed);
    for (int row = 0; row < rows; row++) {
        char *next = NULL;
        MUST(rollkeeper_next_state(fields[row][1], fields[row][0], &next, &error));
        CHECK(strcmp(next, fields[row][2]) == 0);
        rollkeeper_string_free(next);
        bool known = false;
        for (int event = 0; event < event_count; event++)
            known = known || strcmp(events[event], fields[row][0]) == 0;
        if (!known)
            events[event_count++] = fields[row][0];
    }
    CHECK(event_count == 11);

    /* What the file does not list must be refused. */
    for (int state = 0; state < state_count; state++)
        for (int event = 0; event < event_count; event++) {
            bool in_file = false;
            for (int row = 0; row < rows; row++)
                in_file = in_file || (strcmp(fields[row][0], events[event]) == 0 && strcmp(fields[row][1], states[state]) == 0);
            char *next = NULL;
            if (!in_file)
                FAILS(ROLLKEEPER_INVALID_TRANSITION, states[state],
                      rollkeeper_next_state(states[state], events[event], &next, &error));
            CHECK(next == NULL);
        }
    free(transitions);
    free(listed);
    return 0;
}
