// Command generate writes the export of the quickstart: a small shop's data as
// Data Connect delivers it, with everything that makes the raw files hard to
// use. It gives the same bytes each time; TestExportIsGenerated holds the files
// in the repository against it. Run it from the repository's folder:
//
//	go run ./examples/quickstart/generate -o examples/quickstart/export
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	dir := flag.String("o", "examples/quickstart/export", "the `folder` to write to")
	flag.Parse()
	if err := generate(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// generate replaces the folder dir by the export.
func generate(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, d := range newShop().deliveries() {
		if err := d.write(dir); err != nil {
			return fmt.Errorf("dump %d: %w", d.id, err)
		}
	}
	return nil
}
