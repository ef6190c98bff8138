// Package users brings the users table to its new state: the latest row of each raw user,
// and one published row for each canonical user, of all users or of those alone that
// change. Which values count is said by package rules.
package users
