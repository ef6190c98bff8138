package state

import (
	"bytes"
	"testing"
)

// everyChange fills a transaction with changes of every kind.
func everyChange(t testing.TB) *Tx {
	t.Helper()
	tx := newTx(8, Head{Serial: 5, Lineage: "00112233445566778899aabbccddeeff", Generation: 3})
	tx.replaces = true
	tx.collect = [][]byte{bytes.Repeat([]byte{7}, 32)}
	o := &Sealed{Ref: Ref{Digest: digestOf("x")}, payload: []byte("small")}
	for _, err := range []error{
		tx.PutTable(table("pageviews", 8)), tx.DeleteTable("sessions"), tx.PutPartition("pageviews", partition(1, 5)), tx.DeletePartition("pageviews", 2),
		tx.PutDump(&Dump{ID: -5}), tx.DeleteDump(9), tx.SetMapping(nil), tx.PutHold(Hold{Table: "t", Dump: 1, Reason: "r"}), tx.DeleteHold(Hold{Table: "t", Dump: 2}),
		tx.PutPublish(&Publish{Table: "pageviews"}), tx.DeletePublish("x"), tx.PutSetting("a", nil), tx.DeleteSetting("b"), tx.PutObject(o), tx.SetManifests(o.Ref),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return tx
}

// TestTxCodec: a transaction has one form, and comes back from it.
func TestTxCodec(t *testing.T) {
	data, err := encodeTx(everyChange(t))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := decodeTx(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := encodeTx(tx)
	if err != nil || !bytes.Equal(data, again) {
		t.Fatalf("it came back as another one: %v", err)
	}
	if _, ok := tx.puts[bSettings]["a"]; !ok || tx.puts[bSettings]["a"] == nil {
		t.Error("a put of an empty setting became a removal")
	}
	if v, ok := tx.puts[bSettings]["b"]; !ok || v != nil {
		t.Error("a removal was lost")
	}
}

// TestTxCodecDamage: a flipped byte in a value does not pass.
func TestTxCodecDamage(t *testing.T) {
	tx := everyChange(t)
	tx.puts[bTables]["pageviews"][20] ^= 1
	data, err := encodeTx(tx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeTx(data); err == nil {
		t.Error("a damaged record was taken")
	}
}

func FuzzDecodeTx(f *testing.F) {
	data, err := encodeTx(everyChange(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		tx, err := decodeTx(data)
		if err != nil {
			return
		}
		if _, err := encodeTx(tx); err != nil {
			t.Fatal(err)
		}
	})
}
