package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/cmd/reconcile/internal/markdown/markdowntest"
	"reconcile/engine/plan"
)

func markdownOf(t testing.TB, p *plan.Plan, most int) (string, markdowntest.Page) {
	t.Helper()
	text, err := markdownPlan(p, markdownOptions{file: "night.plan", commit: "1f0e"}).Render(most)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > most {
		t.Errorf("%d bytes, %d are allowed", len(text), most)
	}
	return text, markdowntest.Read(t, text)
}

const fullMarkdown = "<!-- reconcile plan folder=envs/prod-eu lineage=l -->\n" +
	"Plan: 1 table to add, 3 to change, 1 to destroy, 2 held\n---\n\n" +
	"Folder `envs/prod-eu`, commit `1f0e`. The state has lineage `l` and is at serial 7.\n\n" +
	"**User mapping:** that of dump 2, of 1,234 entries, replaces that of dump 1: 1 user merged, 2 parted.\n\n" +
	"**Destructive steps, which replace or remove what is there**\n\n" +
	"|  | Table | Step | Details |\n|---|---|---|---|\n" +
	"| `-` | `gone` | destroy, with 5 rows, needs `-allow-destroy` | destroys `its files in /lake/gone` |\n" +
	"| `-/+` | `lost` | rebuild from the source, needs `-accept-loss=lost` | `x changed`; \\~10 partitions to rewrite (there are 10), \\~999 B to write; dumps 3, 4: gone from the source, their rows would be lost |\n\n" +
	"**Held, while the rest goes on**\n\n" +
	"| What | Why | Way past |\n|---|---|---|\n" +
	"| `table.fresh, dump 120, sync_120/x.avro` | `it is cut` |  |\n" +
	"| `manifests/sync_3.json` | `no dump_id` |  |\n\n" +
	"**For the apply as a whole**\n\n" +
	"| Note |\n|---|\n" +
	"| The apply first finishes what an interrupted one had committed: `views`. |\n\n" +
	"**Steps**\n\n" +
	"|  | Table | Step | Details |\n|---|---|---|---|\n" +
	"| `+` | `fresh` | create | dumps 100, 101, 102, ... 111 (12): 24 files, 18.0 MB to read; \\~18.0 MB to write; \\~21.6 MB of scratch_dir meanwhile |\n" +
	"| `.` | `kept` | forget; its files stay |  |\n" +
	"| `~` | `sized` | update | dump 8: void, not read; dump 9: 1 file, 10 B to read; new columns: `a`, `b`; masked (`drop`): `c`; masked (`null`): `b`; 3 users with another canonical id; 2 partitions to rewrite (there are 400), 2.0 MB to write; rows: 1,200 added, 2 revived |\n\n" +
	"**Besides**\n\n" +
	"| Note |\n|---|\n" +
	"| Delivered, but no table block takes it: `_event_metadata`. |\n" +
	"| Left behind, as -target does not name it: `left`. |\n" +
	"| User mapping: `1 cycle` |\n" +
	"| `something to know` |\n"

func TestMarkdownPlan(t *testing.T) {
	p := fullPlan()
	p.Folder = folderOfPlan("./envs/prod-eu/")
	text, _ := markdownOf(t, p, bytesOfComment)
	if d := cmp.Diff(fullMarkdown, text); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A state that is not made yet has another lineage in each plan, and one comment.
func TestMarkerWithoutState(t *testing.T) {
	a, b := planMarker(&plan.Plan{Lineage: "a"}), planMarker(&plan.Plan{Lineage: "b"})
	if a != b || a != "<!-- reconcile plan folder=. lineage=new -->" {
		t.Errorf("%s and %s", a, b)
	}
	if c := planMarker(&plan.Plan{Lineage: "a", Serial: 1}); c == a {
		t.Error(c)
	}
}

// hostileName is a name that a delivery could have to do harm.
func hostileName(r *rand.Rand) string {
	parts := []string{"a", "checkout", "|", `\|`, "`", "``` ", "@user ", "@org/team", "#123", " org/repo#1", "https://e.com/x", "www.e.com", "me@e.com", "<b>", "</td>", "<!--", "-->", "<script>",
		"[x](https://e.com)", "![x](y)", "\n", "\r\n\r\n", "\n| x | y |\n|---|---|\n", "\n# x\n", "---", "*", "__", "~~", "&lt;", "\x00", "\xff", "\u202e", "\u2028", "é", "🛒", " ", "::error::", "##[error]",
		"0123456789abcdef0123456789abcdef01234567", ":smile:", "$x$", "!1", strings.Repeat("y", 100)}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// hostilePlan is a plan of which all that was delivered is hostile.
func hostilePlan(r *rand.Rand, tables int) *plan.Plan {
	name := func() string { return hostileName(r) }
	some := func() []string {
		out := make([]string, r.IntN(4))
		for i := range out {
			out[i] = name()
		}
		return out
	}
	p := &plan.Plan{Folder: name(), Lineage: name(), Serial: 3, Notices: some(), Recover: some(), Restated: some(), AcceptedNow: some(), Unclaimed: some(),
		ConfigDigest: name(), NotChecked: []plan.Unchecked{{Table: name(), What: name(), Why: name()}, {What: name()}},
		Mapping: plan.Mapping{To: id(3), Notes: some()}, Moved: []plan.MovedSink{{From: name(), To: name()}}, Forgotten: []plan.ForgottenSink{{Root: name(), Tables: some()}}}
	for i := range tables {
		actions := []plan.Action{plan.Create, plan.Update, plan.Rebuild, plan.Destroy, plan.Forget}
		p.Tables = append(p.Tables, &plan.Table{Name: fmt.Sprint(i, " ", name()), Action: actions[r.IntN(len(actions))], Change: plan.ConfigDiff{Class: plan.ClassRebuild, Reasons: some()},
			NewColumns: some(), Destroys: some(), Removes: some(), Lost: []int64{1}, BytesToWrite: 5})
		if r.IntN(10) == 0 {
			p.Holds = append(p.Holds, plan.Hold{Table: name(), File: name(), Reason: name(), Guard: name(), Accept: name(), Skip: name()})
		}
	}
	return p
}

// However many tables there are and whatever they are called, the comment stays within its
// limit and is what it should be: whole rows in their order, and the count of the others.
func TestMarkdownOfHostilePlans(t *testing.T) {
	r := rand.New(rand.NewPCG(18, 4))
	for _, c := range []struct{ tables, most int }{{5000, bytesOfComment}, {5000, 1_000_000}, {5000, 12_000}, {300, bytesOfComment}, {3, bytesOfComment}} {
		p := hostilePlan(r, c.tables)
		_, page := markdownOf(t, p, c.most)
		checkSteps(t, p, page)
	}
}

// What the configuration alone changes stays within the limit as well.
func TestMarkdownOfHostileConfigurations(t *testing.T) {
	r := rand.New(rand.NewPCG(18, 5))
	p := &plan.Plan{ConfigOnly: true, ConfigDigest: hostileName(r)}
	for i := range 5000 {
		e := plan.ConfigEntry{Table: hostileName(r), Action: plan.Update, Class: plan.ClassRewrite, Settings: []plan.Setting{{Name: hostileName(r), Column: hostileName(r), Before: hostileName(r), After: hostileName(r)}}}
		if i%3 == 0 {
			e.Action, e.Destroys, e.Flags = plan.Destroy, []string{hostileName(r)}, []string{hostileName(r)}
		}
		p.Config = append(p.Config, e)
		p.NotChecked = append(p.NotChecked, plan.Unchecked{Table: hostileName(r), What: hostileName(r), Why: hostileName(r)})
	}
	_, page := markdownOf(t, p, bytesOfComment)
	if len(page.Tables) == 0 || len(page.Tables[0]) < 50 || page.Tables[0][1][0].Text != "-" {
		t.Fatalf("tables: %v", page.Tables)
	}
	shown := 0
	for _, rows := range page.Tables {
		shown += len(rows) - 1
	}
	if shown += countedIn(t, page, "table|thing"); shown != 10_000 {
		t.Errorf("%d rows are shown and counted, there are 10,000", shown)
	}
}

// countedIn is how many of something a page says that it does not show.
func countedIn(t *testing.T, page markdowntest.Page, what string) (sum int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(\S+) (?:`+what+`)s? not shown`).FindAllStringSubmatch(strings.Join(page.Paragraphs, "\n"), -1) {
		n, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// checkSteps wants the rows of steps to be the first ones of their sections, and the counts
// those of the others.
func checkSteps(t *testing.T, p *plan.Plan, page markdowntest.Page) {
	t.Helper()
	shown, destructives := 0, 0
	destructive, steps, _ := split(p)
	for _, rows := range page.Tables {
		if len(rows[0]) != 4 {
			continue
		}
		want, wantOthers := prefix(destructive, len(rows)-1), prefix(steps, len(rows)-1)
		var got []string
		for _, row := range rows[1:] {
			if len(row) != 4 || len(row[0].Codes) != 1 || len(row[1].Codes) != 1 {
				t.Fatalf("a row of %d cells: %v", len(row), row)
			}
			number, _, _ := strings.Cut(row[1].Text, " ")
			got = append(got, row[0].Text+number)
		}
		if shown == 0 && slices.Equal(got, want) {
			destructives = len(got)
		} else if d := cmp.Diff(wantOthers, got); d != "" {
			t.Errorf("rows (-want +got):\n%s", d)
		}
		shown += len(got)
	}
	if destructives < min(5, len(destructive)) {
		t.Errorf("only %d destructive steps are shown of %d", destructives, len(destructive))
	}
	shown += countedIn(t, page, "table")
	if shown != len(p.Tables) {
		t.Errorf("%d tables are shown and counted, there are %d", shown, len(p.Tables))
	}
}

// prefix is what the rows of the first tables begin with.
func prefix(tables []*plan.Table, n int) (out []string) {
	for _, table := range tables[:min(n, len(tables))] {
		number, _, _ := strings.Cut(table.Name, " ")
		out = append(out, string(table.Action)+number)
	}
	return out
}
