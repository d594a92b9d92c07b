/* The functions of the tables; each leads to the exported Go function of its kind in callback.go. */
#include "callback.h"
#include "_cgo_export.h"

static void free_handle(void *context)
{
    rollkeeperGoFree((uintptr_t)context);
}

static void secret(void *context, const char *name, rollkeeper_reply *reply)
{
    rollkeeperGoSecret((uintptr_t)context, (char *)name, reply);
}

static void entry(void *context, const char *text, size_t length)
{
    rollkeeperGoLog((uintptr_t)context, (char *)text, length);
}

static void alert(void *context, const char *text, size_t length)
{
    rollkeeperGoAlert((uintptr_t)context, (char *)text, length);
}

static void send_request(void *context, const char *request, size_t length, const uint8_t *body, size_t body_length,
                         rollkeeper_reply *reply)
{
    rollkeeperGoSend((uintptr_t)context, (char *)request, length, (uint8_t *)body, body_length, reply);
}

static int64_t now(void *context)
{
    return rollkeeperGoNow((uintptr_t)context);
}

static int32_t progress_told(void *context, const char *text, size_t length)
{
    return rollkeeperGoProgress((uintptr_t)context, (char *)text, length);
}

/* One function for each method; the number is the place in `methods` of connector.go. */
#define METHOD(name, number)                                                                                           \
    static void method_##name(void *context, const char *request, size_t length, rollkeeper_reply *reply)              \
    {                                                                                                                  \
        rollkeeperGoMethod((uintptr_t)context, number, (char *)request, length, reply);                                \
    }

METHOD(capabilities, 0)
METHOD(test, 1)
METHOD(schema, 2)
METHOD(find, 3)
METHOD(read, 4)
METHOD(create, 5)
METHOD(update, 6)
METHOD(activate, 7)
METHOD(deactivate, 8)
METHOD(freeze, 9)
METHOD(unfreeze, 10)
METHOD(delete_account, 11)
METHOD(list, 12)
METHOD(changes, 13)
METHOD(list_groups, 14)
METHOD(change_members, 15)

static rollkeeper_connector table_of(uintptr_t connector)
{
    rollkeeper_connector table = {
        .struct_size = sizeof table,
        .context = (void *)connector,
        .free_context = free_handle,
        .capabilities = method_capabilities,
        .test = method_test,
        .schema = method_schema,
        .find = method_find,
        .read = method_read,
        .create = method_create,
        .update = method_update,
        .activate = method_activate,
        .deactivate = method_deactivate,
        .freeze = method_freeze,
        .unfreeze = method_unfreeze,
        .delete_account = method_delete_account,
        .list = method_list,
        .changes = method_changes,
        .list_groups = method_list_groups,
        .change_members = method_change_members,
    };
    return table;
}

rollkeeper_status rollkeeper_go_open(const rollkeeper_go_options *options, rollkeeper_engine **engine,
                                     rollkeeper_error **error)
{
    rollkeeper_secrets secrets = {sizeof secrets, (void *)options->secrets, free_handle, secret};
    rollkeeper_log log = {sizeof log, (void *)options->log, free_handle, entry};
    rollkeeper_clock clock = {sizeof clock, (void *)options->clock, free_handle, now};
    rollkeeper_alerts alerts = {sizeof alerts, (void *)options->alerts, free_handle, alert};
    rollkeeper_transport transport = {sizeof transport, (void *)options->transport, free_handle, send_request};
    rollkeeper_open_options given = {
        .struct_size = sizeof given,
        .path = options->path,
        .key = options->key,
        .seed = options->seed,
        .has_seed = options->has_seed,
        .read_only = options->read_only,
        .without_look_up = options->without_look_up,
        .secrets = options->secrets == 0 ? NULL : &secrets,
        .log = options->log == 0 ? NULL : &log,
        .clock = options->clock == 0 ? NULL : &clock,
        .virtual_clock = options->virtual_clock,
        .alerts = options->alerts == 0 ? NULL : &alerts,
        .transport = options->transport == 0 ? NULL : &transport,
    };
    return rollkeeper_engine_open(&given, engine, error);
}

rollkeeper_status rollkeeper_go_run(rollkeeper_engine *engine, uint32_t workers, const char *timeout, uintptr_t reporter,
                                    char **progress, rollkeeper_error **error)
{
    rollkeeper_run_options options = {
        .struct_size = sizeof options,
        .workers = workers,
        .timeout = timeout,
        .context = (void *)reporter,
        .progress = progress_told,
    };
    return rollkeeper_engine_run(engine, &options, progress, error);
}

rollkeeper_status rollkeeper_go_reconcile(rollkeeper_engine *engine, const char *app, const char *by, uintptr_t reporter,
                                          char **reconciliation, rollkeeper_error **error)
{
    rollkeeper_watch watch = {sizeof watch, (void *)reporter, progress_told};
    return rollkeeper_engine_reconcile_watched(engine, app, by, &watch, reconciliation, error);
}

rollkeeper_status rollkeeper_go_register(rollkeeper_engine *engine, const char *name, uintptr_t connector,
                                         rollkeeper_error **error)
{
    rollkeeper_connector table = table_of(connector);
    return rollkeeper_engine_register_connector(engine, name, &table, error);
}

rollkeeper_status rollkeeper_go_check(uintptr_t connector, const char *options, size_t options_length, char **report,
                                      rollkeeper_error **error)
{
    rollkeeper_connector table = table_of(connector);
    return rollkeeper_check_connector(&table, options, options_length, report, error);
}
