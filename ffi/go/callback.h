/* What the Go package adds to the C interface: tables whose functions lead back into Go. A handle is that of a Go value
 * (runtime/cgo); 0 means that there is none. */
#ifndef ROLLKEEPER_GO_CALLBACK_H
#define ROLLKEEPER_GO_CALLBACK_H

#include "rollkeeper.h"

typedef struct {
    const char *path;
    const uint8_t *key;
    uint64_t seed;
    int32_t has_seed;
    int32_t read_only;
    int32_t without_look_up;
    uintptr_t secrets;
    uintptr_t log;
    uintptr_t clock;
    uintptr_t alerts;
    uintptr_t transport;
    const rollkeeper_virtual_clock *virtual_clock;
} rollkeeper_go_options;

rollkeeper_status rollkeeper_go_open(const rollkeeper_go_options *options, rollkeeper_engine **engine,
                                     rollkeeper_error **error);
rollkeeper_status rollkeeper_go_run(rollkeeper_engine *engine, uint32_t workers, const char *timeout, uintptr_t reporter,
                                    char **progress, rollkeeper_error **error);
rollkeeper_status rollkeeper_go_reconcile(rollkeeper_engine *engine, const char *app, const char *by, uintptr_t reporter,
                                          char **reconciliation, rollkeeper_error **error);
rollkeeper_status rollkeeper_go_register(rollkeeper_engine *engine, const char *name, uintptr_t connector,
                                         rollkeeper_error **error);
rollkeeper_status rollkeeper_go_check(uintptr_t connector, const char *options, size_t options_length, char **report,
                                      rollkeeper_error **error);

#endif
