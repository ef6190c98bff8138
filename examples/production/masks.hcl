# Masks add to every table that they match, users too, also to those that come
# later, and no table block can weaken them.

# The same e-mail gets the same pseudonym everywhere, so that joins still work.
mask "pii" {
  columns = ["email", "*_email", "identity", "ip"]
  method  = "hmac-sha256"
  key     = var.mask_key
}

# Nobody needs to know where people live to the town.
mask "town" {
  tables  = ["*"]
  columns = ["city"]
  method  = "null"
}

# Nothing of the kind is delivered, and should it ever be, nobody gets it.
mask "never" {
  columns  = ["password*", "credit_card*"]
  method   = "drop"
  optional = true
}
