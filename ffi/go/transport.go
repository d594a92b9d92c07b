package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unsafe"
)

// TransportError says why Options.Transport got no answer. Any other error counts as Unreachable, or Timeout where the time
// was up, of a request that the target may have read, but for what fails before a byte of it is sent: a name that is not
// resolved, an address that cannot be connected to, a certificate that is not trusted.
//
// A transport follows no redirect and repeats nothing; an [http.Transport] keeps to that, and takes a proxy from the
// environment only where its Proxy says so. Which addresses may be called is its own to say: the library's guard against
// private addresses is part of its own client. The size and the depth of answers stay bounded, and the library's timeout ends
// the request's context. connector.tls and connector.proxy of apps are refused beside it.
type TransportError struct {
	// Sent says that the target may have read a byte of the request. Only where it is false, a write is sent again without
	// a look.
	Sent bool
	// Code is ErrUnreachable, ErrTimeout, ErrTLSFailed, ErrProxyFailed, ErrBlockedAddress, ErrRedirected, ErrAnswerTooLarge
	// or ErrInvalidAnswer.
	Code Code
	// Message is one line for the operator, without attribute values and secrets.
	Message string
}

// Error gives code and message.
func (e *TransportError) Error() string { return string(e.Code) + ": " + e.Message }

// httpRequest is what the library wants to be sent.
type httpRequest struct {
	Method        string            `json:"method"`
	URL           string            `json:"url"`
	Headers       map[string]string `json:"headers"`
	Timeout       float64           `json:"timeout"`
	LargestAnswer int64             `json:"largest_answer"`
}

//export rollkeeperGoSend
func rollkeeperGoSend(handle C.uintptr_t, text *C.char, length C.size_t, body *C.uint8_t, bodyLength C.size_t, reply *C.rollkeeper_reply) {
	var sent []byte
	if body != nil {
		sent = bytesOf((*C.char)(unsafe.Pointer(body)), bodyLength)
	}
	status, headers, answer, failure := send(valueOf[http.RoundTripper](handle), bytesOf(text, length), sent)
	if failure != nil {
		outcome := NotApplied
		if failure.Sent {
			outcome = Ambiguous
		}
		reject(reply, &ConnectorError{Outcome: outcome, Code: failure.Code, Message: failure.Message})
		return
	}
	written, err := json.Marshal(headers)
	if err != nil {
		written = []byte("{}")
	}
	C.rollkeeper_reply_set_response(reply, C.int32_t(status), (*C.char)(unsafe.Pointer(&written[0])), C.size_t(len(written)),
		(*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(answer))), C.size_t(len(answer)))
}

// send makes one request and reads the whole answer, up to one byte more than it may have.
func send(transport http.RoundTripper, text, body []byte) (status int, headers map[string]string, answer []byte, failure *TransportError) {
	defer func() {
		if value := recover(); value != nil {
			failure = &TransportError{Sent: true, Code: ErrUnreachable, Message: fmt.Sprintf("the transport panicked with a `%T`", value)}
		}
	}()
	var asked httpRequest
	if err := json.Unmarshal(text, &asked); err != nil {
		return 0, nil, nil, &TransportError{Code: ErrInvalidURL, Message: "the request cannot be read"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(asked.Timeout*float64(time.Second)))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, asked.Method, asked.URL, bodyOf(body))
	if err != nil {
		return 0, nil, nil, &TransportError{Code: ErrInvalidURL, Message: "the URL of the request is not valid"}
	}
	for name, value := range asked.Headers {
		request.Header.Set(name, value)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, nil, nil, transportFailure(err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, asked.LargestAnswer+1))
	if err != nil {
		failed := transportFailure(err)
		failed.Sent = true
		return 0, nil, nil, failed
	}
	headers = make(map[string]string, len(response.Header))
	for name, values := range response.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return response.StatusCode, headers, answer, nil
}

// bodyOf is a body that can be read again, without which net/http would not know its length.
func bodyOf(body []byte) io.Reader {
	if body == nil {
		return nil
	}
	return bytes.NewReader(body)
}

// transportFailure tells a failure. The text of a foreign error may hold values, so only its type is told.
func transportFailure(err error) *TransportError {
	var told *TransportError
	if errors.As(err, &told) && told != nil {
		return &TransportError{Sent: told.Sent, Code: told.Code, Message: told.Message}
	}
	kind := fmt.Sprintf("the transport failed with an error of type `%T`", err)
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name *net.DNSError
	var operation *net.OpError
	switch {
	case errors.As(err, &verification), errors.As(err, &authority):
		return &TransportError{Code: ErrTLSFailed, Message: "the target's certificate is not trusted"}
	case errors.As(err, &name), errors.As(err, &operation) && operation.Op == "dial":
		return &TransportError{Code: ErrUnreachable, Message: kind}
	case errors.Is(err, context.DeadlineExceeded):
		return &TransportError{Sent: true, Code: ErrTimeout, Message: "the target did not answer in time"}
	default:
		return &TransportError{Sent: true, Code: ErrUnreachable, Message: kind}
	}
}
