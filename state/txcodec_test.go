package state_test

import (
	"bytes"
	"testing"

	"reconcile/state"
	"reconcile/state/internal/kv"
	"reconcile/state/internal/statetest"
)

// everyChange fills a transaction with changes of every kind.
func everyChange(t testing.TB) *kv.Changes {
	t.Helper()
	tx := state.NewTx(8, state.Head{Serial: 5, Lineage: "00112233445566778899aabbccddeeff", Generation: 3})
	c := tx.Changes()
	c.Replaces = true
	c.Collect = [][]byte{bytes.Repeat([]byte{7}, 32)}
	o := state.NewSmall(state.Ref{Digest: statetest.DigestOf("x")}, []byte("small"))
	for _, err := range []error{
		tx.PutTable(statetest.Table("pageviews", 8)), tx.DeleteTable("sessions"), tx.PutPartition("pageviews", statetest.Partition(1, 5)), tx.DeletePartition("pageviews", 2),
		tx.PutDump(&state.Dump{ID: -5}), tx.DeleteDump(9), tx.SetMapping(nil), tx.PutHold(state.Hold{Table: "t", Dump: 1, Reason: "r"}), tx.DeleteHold(state.Hold{Table: "t", Dump: 2}),
		tx.PutPublish(&state.Publish{Table: "pageviews"}), tx.DeletePublish("x"), tx.PutSetting("a", nil), tx.DeleteSetting("b"), tx.PutObject(o), tx.SetManifests(o.Ref),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestTxCodec: a transaction has one form, and comes back from it.
func TestTxCodec(t *testing.T) {
	data, err := everyChange(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := kv.DecodeChanges(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Encode()
	if err != nil || !bytes.Equal(data, again) {
		t.Fatalf("it came back as another one: %v", err)
	}
	if _, ok := c.Puts[kv.Settings]["a"]; !ok || c.Puts[kv.Settings]["a"] == nil {
		t.Error("a put of an empty setting became a removal")
	}
	if v, ok := c.Puts[kv.Settings]["b"]; !ok || v != nil {
		t.Error("a removal was lost")
	}
}

// TestTxCodecDamage: a flipped byte in a value does not pass.
func TestTxCodecDamage(t *testing.T) {
	c := everyChange(t)
	c.Puts[kv.Tables]["pageviews"][20] ^= 1
	data, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kv.DecodeChanges(data); err == nil {
		t.Error("a damaged record was taken")
	}
}

func FuzzDecodeTx(f *testing.F) {
	data, err := everyChange(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := kv.DecodeChanges(data)
		if err != nil {
			return
		}
		if _, err := c.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}
