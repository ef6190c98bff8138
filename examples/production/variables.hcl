variable "environment" {
  type        = string
  default     = "dev"
  description = "Which lake to write: dev, staging or prod."

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "It is dev, staging or prod, not ${var.environment}."
  }
}

variable "export" {
  type        = string
  default     = "../quickstart/export"
  description = "The folder with the mirror of the bucket."
}

# Never in a file: RECONCILE_VAR_mask_key, from the secret store.
variable "mask_key" {
  type        = string
  sensitive   = true
  description = "The key of the pseudonyms. A new key has the masked tables rebuilt."

  validation {
    condition     = length(var.mask_key) >= 16
    error_message = "The key needs 16 characters at least."
  }
}

variable "money" {
  type        = map(list(string))
  default     = {}
  description = "The columns of each table that hold amounts."
}

locals {
  lake  = "./lake/${var.environment}"
  daily = ["year(time)", "month(time)", "day(time)"]
}
