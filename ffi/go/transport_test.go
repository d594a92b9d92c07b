package rollkeeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

type exchange struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   any    `json:"body"`
	Answer *struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"answer"`
	Failure *struct {
		Sent bool `json:"sent"`
		Code Code `json:"code"`
	} `json:"failure"`
}

// playing plays the exchanges of tests/data/transport/scenario.json, which the other languages play too.
type playing struct {
	t    *testing.T
	left []exchange
}

func (p *playing) RoundTrip(request *http.Request) (*http.Response, error) {
	if len(p.left) == 0 {
		p.t.Errorf("%s %s is one too many", request.Method, request.URL)
		return nil, errors.New("one too many")
	}
	next := p.left[0]
	p.left = p.left[1:]
	var body any
	if request.Body != nil {
		text, err := io.ReadAll(request.Body)
		must(p.t, err)
		must(p.t, json.Unmarshal(text, &body))
	}
	if request.Method != next.Method || request.URL.String() != next.URL || !reflect.DeepEqual(body, next.Body) {
		p.t.Errorf("%s %s %v", request.Method, request.URL, body)
	}
	if request.Header.Get("Authorization") != "Bearer t0ken" {
		p.t.Error("the credentials are not there")
	}
	if left, ok := request.Context().Deadline(); !ok || time.Until(left) > 30*time.Second {
		p.t.Error("there is no deadline")
	}
	if next.Failure != nil {
		return nil, &TransportError{Sent: next.Failure.Sent, Code: next.Failure.Code, Message: "as the scenario says"}
	}
	header := make(http.Header)
	for name, value := range next.Answer.Headers {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: next.Answer.Status, Header: header, Body: io.NopCloser(bytes.NewReader(next.Answer.Body))}, nil
}

func TestAHostsTransportPlaysTheScenario(t *testing.T) {
	text, err := os.ReadFile("../../tests/data/transport/scenario.json")
	must(t, err)
	var scenario struct {
		App       json.RawMessage `json:"app"`
		User      json.RawMessage `json:"user"`
		Secret    string          `json:"secret"`
		Exchanges []exchange      `json:"exchanges"`
	}
	must(t, json.Unmarshal(text, &scenario))
	clock, err := NewVirtualClock(time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC))
	must(t, err)
	transport := &playing{t, scenario.Exchanges}
	seed := uint64(1)
	secrets := func(string) (string, bool) { return scenario.Secret, true }
	engine := open(t, "", Options{Seed: &seed, Secrets: secrets, VirtualClock: clock, Transport: transport})
	_, err = engine.PutApp(scenario.App, "")
	must(t, err)
	_, err = engine.PutUser(scenario.User, "")
	must(t, err)
	for hour := 0; hour < 10; hour++ {
		_, err = engine.Run(context.Background(), RunOptions{})
		must(t, err)
		must(t, clock.Advance(time.Hour))
	}
	if len(transport.left) != 0 {
		t.Fatalf("%d exchanges are left", len(transport.left))
	}
	for account, err := range engine.Accounts(AccountFilter{}) {
		must(t, err)
		if account.ExternalID != "2819c223" {
			t.Fatalf("%s", account.Raw)
		}
	}
}

func sendTo(transport http.RoundTripper, url, timeout string) (int, []byte, *TransportError) {
	request := `{"method": "GET", "url": "` + url + `", "headers": {}, "timeout": ` + timeout + `, "largest_answer": 10}`
	status, _, body, failure := send(transport, []byte(request), nil)
	return status, body, failure
}

type failing struct{ with any }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) {
	if err, ok := f.with.(error); ok {
		return nil, err
	}
	panic(f.with)
}

func TestAnErrorSaysWhetherTheRequestMayHaveBeenSent(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	gone := "http://" + listener.Addr().String()
	must(t, listener.Close())
	ended := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	defer silent.Close()
	defer close(ended)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	for _, one := range []struct {
		transport http.RoundTripper
		url       string
		timeout   string
		sent      bool
		code      Code
	}{
		{&http.Transport{}, gone, "60", false, ErrUnreachable},
		{&http.Transport{}, silent.URL, "0.3", true, ErrTimeout},
		{&http.Transport{}, untrusted.URL, "60", false, ErrTLSFailed},
		{failing{errors.New("canary")}, gone, "60", true, ErrUnreachable},
		{failing{"canary"}, gone, "60", true, ErrUnreachable},
		{failing{&TransportError{Code: ErrProxyFailed, Message: "told"}}, gone, "60", false, ErrProxyFailed},
	} {
		_, _, failure := sendTo(one.transport, one.url, one.timeout)
		if failure == nil || failure.Sent != one.sent || failure.Code != one.code || strings.Contains(failure.Message, "canary") {
			t.Errorf("%s: %v", one.url, failure)
		}
	}
}

func TestABodyIsReadUpToItsBound(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := to.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	status, body, failure := sendTo(&http.Transport{}, endless.URL, "60")
	if failure != nil || status != 200 || len(body) != 11 {
		t.Fatalf("%d %d %v", status, len(body), failure)
	}
}
