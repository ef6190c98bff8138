// Package write stages the new content of partitions: it gathers judged rows into row
// groups and writes them as data files in every sink of a table, and hidden rows as an
// object. What it has closed is durable; it never publishes, and removes only what it was
// writing itself.
package write
