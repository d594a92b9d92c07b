package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"fmt"
	"runtime/cgo"
	"runtime/debug"
	"time"
	"unsafe"
)

// endOnPanic ends the program where a callback panicked. A panic must not pass through the library's frames, which would
// be left with their locks held, and there is nobody to tell it to.
func endOnPanic() {
	if value := recover(); value != nil {
		stack := debug.Stack()
		go func() { panic(fmt.Sprintf("rollkeeper: a callback panicked: %v\n%s", value, stack)) }()
		select {}
	}
}

func valueOf[T any](handle C.uintptr_t) T { return cgo.Handle(uintptr(handle)).Value().(T) }

// bytesOf copies text that C lends for the time of a callback.
func bytesOf(text *C.char, length C.size_t) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(text)), int(length))...)
}

//export rollkeeperGoFree
func rollkeeperGoFree(handle C.uintptr_t) { cgo.Handle(uintptr(handle)).Delete() }

//export rollkeeperGoSecret
func rollkeeperGoSecret(handle C.uintptr_t, name *C.char, reply *C.rollkeeper_reply) {
	defer endOnPanic()
	if secret, ok := valueOf[func(string) (string, bool)](handle)(C.GoString(name)); ok {
		C.rollkeeper_reply_set_text(reply, stringPointer(secret), C.size_t(len(secret)))
	}
}

//export rollkeeperGoLog
func rollkeeperGoLog(handle C.uintptr_t, text *C.char, length C.size_t) {
	defer endOnPanic()
	entry, err := read[LogEntry](string(bytesOf(text, length)), nil)
	if err == nil {
		valueOf[func(LogEntry)](handle)(entry)
	}
}

//export rollkeeperGoAlert
func rollkeeperGoAlert(handle C.uintptr_t, text *C.char, length C.size_t) {
	defer endOnPanic()
	alert, err := read[Alert](string(bytesOf(text, length)), nil)
	if err == nil {
		valueOf[func(Alert)](handle)(alert)
	}
}

//export rollkeeperGoNow
func rollkeeperGoNow(handle C.uintptr_t) C.int64_t {
	defer endOnPanic()
	return C.int64_t(valueOf[func() time.Time](handle)().UnixMicro())
}

//export rollkeeperGoProgress
func rollkeeperGoProgress(handle C.uintptr_t, text *C.char, length C.size_t) C.int32_t {
	if valueOf[*reporter](handle).goesOn(bytesOf(text, length)) {
		return 0
	}
	return 1
}

//export rollkeeperGoMethod
func rollkeeperGoMethod(handle C.uintptr_t, number C.int, request *C.char, length C.size_t, reply *C.rollkeeper_reply) {
	answer, failure := methods[number].ask(valueOf[Connector](handle), bytesOf(request, length))
	switch {
	case failure != nil:
		reject(reply, failure)
	case len(answer) > 0:
		C.rollkeeper_reply_set_json(reply, (*C.char)(unsafe.Pointer(&answer[0])), C.size_t(len(answer)))
	}
}

// reject tells a failure. An outcome that does not exist, or a text that is not UTF-8, is refused by the library; then
// nobody knows what happened.
func reject(reply *C.rollkeeper_reply, failure *ConnectorError) {
	var a arguments
	defer a.free()
	wait := C.int64_t(-1)
	if failure.RetryAfter > 0 {
		wait = C.int64_t((failure.RetryAfter + time.Second - 1) / time.Second)
	}
	status := C.rollkeeper_reply_fail(reply, C.int32_t(failure.Outcome), a.name(string(failure.Code)), a.name(failure.Message), wait, a.optional(failure.ExternalID))
	if status != C.ROLLKEEPER_OK {
		C.rollkeeper_reply_fail(reply, C.int32_t(Ambiguous), a.name(string(ErrConnectorFailed)), a.name("the connector's failure cannot be read"), -1, nil)
	}
}

// stringPointer is where a string's bytes are, which is never NULL.
func stringPointer(text string) *C.char {
	if text == "" {
		text = "\x00"
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
}
