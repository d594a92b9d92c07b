// The header in C++17: constants, structs and a call, linked with the library.
#include "rollkeeper.h"

int main()
{
    rollkeeper_open_options options = {};
    options.struct_size = sizeof options;
    bool allowed = false;
    rollkeeper_error *error = nullptr;
    rollkeeper_status status = rollkeeper_can_change("New", "Requested", &allowed, &error);
    bool same = rollkeeper_abi_version() == ROLLKEEPER_ABI_VERSION && rollkeeper_version_number() == ROLLKEEPER_VERSION_NUMBER;
    return status == ROLLKEEPER_OK && allowed && same ? 0 : 1;
}
