package rollkeeper

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAMappingIsCompiledOnceAndRenderedManyTimes(t *testing.T) {
	mapping, err := CompileMapping([]map[string]any{{"target": "userName", "source": "login", "required": true}})
	must(t, err)
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 200 {
				payload, err := mapping.Render(map[string]string{"login": "ada"}, time.Time{})
				if err != nil || string(payload) != `{"userName":"ada"}` {
					t.Errorf("gave %s and %v", payload, err)
				}
			}
		}()
	}
	all.Wait()
	if _, err := mapping.Render("{}", time.Time{}); !errors.Is(err, ErrMissingRequired) {
		t.Errorf("gave %v", err)
	}
	mapping = nil
	runtime.GC() // the finalizer frees it; the race detector and the C library would say if it were used again
}

func TestAPayloadMayBeLongerThanItsRecord(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	mapping, err := CompileMapping([]map[string]any{{"target": "title", "constant": long}})
	must(t, err)
	payload, err := mapping.Render("{}", time.Time{})
	must(t, err)
	if string(payload) != `{"title":"`+long+`"}` {
		t.Errorf("gave %s", payload)
	}
}

func TestABadLineStopsNobodyElse(t *testing.T) {
	mapping, err := CompileMapping(`[{"target": "userName", "source": "login", "required": true}]`)
	must(t, err)
	lines, err := mapping.RenderLines([]byte("{\"login\":\"ada\"}\n{}\n\n{\"login\":\"bob\"}\n"), time.Time{})
	must(t, err)
	found := strings.Split(string(lines), "\n")
	if len(found) != 5 || found[0] != `{"attributes":{"userName":"ada"}}` || found[3] != `{"attributes":{"userName":"bob"}}` {
		t.Fatalf("gave %s", lines)
	}
	if !strings.Contains(found[1], `"missing_required"`) || !strings.Contains(found[2], `"invalid_json"`) {
		t.Errorf("gave %s", lines)
	}
}

func TestAMappingThatIsWrongIsNotCompiled(t *testing.T) {
	if _, err := CompileMapping(`[{"target": "a.", "constant": 1}]`); !errors.Is(err, ErrInvalidPath) {
		t.Errorf("gave %v", err)
	}
}
