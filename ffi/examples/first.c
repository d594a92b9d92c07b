#include <rollkeeper.h>
#include <stdio.h>
#include <string.h>

static const char app[] = "{\"id\": \"crm\", \"connector\": {\"kind\": \"mock\"}, \"assigned_to\": {\"profiles\": [\"Nurses\"]},"
                          " \"mapping\": [{\"target\": \"userName\", \"source\": \"username\"}], \"create_without_match\": true}";
static const char user[] = "{\"id\": \"u1\", \"username\": \"amelie\", \"profile\": \"Nurses\"}";

int main(void)
{
    rollkeeper_engine *engine = NULL;
    rollkeeper_error *error = NULL;
    char *progress = NULL;
    if (rollkeeper_engine_open(NULL, &engine, &error) == ROLLKEEPER_OK &&
        rollkeeper_engine_put_app(engine, app, strlen(app), "admin", NULL, &error) == ROLLKEEPER_OK &&
        rollkeeper_engine_put_user(engine, user, strlen(user), "hr", NULL, &error) == ROLLKEEPER_OK &&
        rollkeeper_engine_run(engine, NULL, &progress, &error) == ROLLKEEPER_OK)
        printf("%s\n", progress); /* {"completed":1,"done":…,"failed":0,"open":0,"stopped":false} */
    else
        fprintf(stderr, "%s\n", rollkeeper_error_message(error));
    rollkeeper_string_free(progress);
    rollkeeper_error_free(error);
    rollkeeper_engine_free(engine);
    return progress == NULL;
}
