package chain

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
	"time"
)

func whole() *Record {
	return &Record{Serial: 9, Prev: Digest{1, 2}, Lineage: "L", Generation: 3, Nonce: "N", Time: time.Unix(1700000000, 1).UTC(), Program: "p",
		Command: "c", Host: "h\xff", Plan: "plan", Payload: []byte("payload"), Successor: "s3://b/p"}
}

func mustEncode(t testing.TB, r *Record) []byte {
	t.Helper()
	data, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordsReadBack(t *testing.T) {
	spilled := whole()
	spilled.Payload, spilled.Spilled = nil, &Ref{Name: "o", Size: 5, Digest: Digest{9}}
	for name, r := range map[string]*Record{"whole": whole(), "first": {Serial: 1, Lineage: "L"}, "spilled": spilled} {
		got, err := decode(mustEncode(t, r), version)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, r)
		}
	}
}

// TestStubsKeepTheDigest: a chain through a stub is the chain through its record.
func TestStubsKeepTheDigest(t *testing.T) {
	r := whole()
	mustEncode(t, r)
	got, err := decode(mustEncode(t, r.stub()), version)
	if err != nil || !got.Stub || got.Position() != r.Position() || got.Prev != r.Prev || got.Generation != r.Generation || got.Lineage != r.Lineage {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(got.Payload) > 0 || got.Host != "" {
		t.Errorf("it kept content: %+v", got)
	}
}

func TestHarmedRecordsAreTold(t *testing.T) {
	data := mustEncode(t, whole())
	for n := range data {
		if _, err := decode(data[:n], version); err == nil {
			t.Errorf("cut to %d bytes it is read", n)
		}
		for bit := range 8 {
			harmed := append([]byte(nil), data...)
			harmed[n] ^= 1 << bit
			var newer newerVersion
			if _, err := decode(harmed, version); err == nil || errors.As(err, &newer) {
				t.Errorf("with bit %d of byte %d flipped: %v", bit, n, err)
			}
		}
	}
	if _, err := decode(append(data, 0), version); err == nil {
		t.Error("with a byte behind it it is read")
	}
}

func TestNewerRecordsAreTold(t *testing.T) {
	r := whole()
	r.Format, r.Needs = version+1, "9.9.0"
	data := mustEncode(t, r)
	var newer newerVersion
	if _, err := decode(data, version); !errors.As(err, &newer) || newer != (newerVersion{version + 1, "p", "9.9.0"}) {
		t.Errorf("got %v", err)
	}
	if got, err := decode(data, version+1); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%+v, %v, want %+v", got, err, r)
	}
	// Of which even the fields have another form.
	data = binary.LittleEndian.AppendUint64(append([]byte(magic), version+1), frameSum(version+1, []byte("?")))
	if _, err := decode(append(data, '?'), version); !errors.As(err, &newer) || newer != (newerVersion{found: version + 1}) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	r := whole()
	f.Add(mustEncode(f, r)[bodyAt:])
	f.Add(mustEncode(f, r.stub())[bodyAt:])
	f.Add(mustEncode(f, &Record{Serial: 1})[bodyAt:])
	f.Fuzz(func(t *testing.T, body []byte) {
		// The checksum is made right, so that what lies behind it is reached.
		data := binary.LittleEndian.AppendUint64(append([]byte(magic), version), frameSum(version, body))
		r, err := decode(append(data, body...), version)
		if err != nil {
			return
		}
		again, err := decode(mustEncode(t, r), version)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func TestObjectNamesReadBack(t *testing.T) {
	for _, n := range []objectName{{generation: 1, nonce: "x"}, {generation: 1 << 60, digest: Digest{255}, nonce: "y", serial: 12}} {
		if got, ok := parseObjectName(n.String()); !ok || got != n {
			t.Errorf("%s: %+v, %v", n, got, ok)
		}
	}
	for _, bad := range []string{"", "a", "000000000001-ab-x", "1-" + Digest{}.String() + "-x", "000000000001-" + Digest{}.String() + "-"} {
		if n, ok := parseObjectName(bad); ok {
			t.Errorf("%q is taken for %+v", bad, n)
		}
	}
}
