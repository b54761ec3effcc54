variable "atoll_url" {
  description = "As people reach the portal, for example https://atoll.example.com."
  type        = string
}

variable "atoll_token" {
  description = "An API token of an owner of the tenant: TF_VAR_atoll_token. Bind it to the tenant and let it expire."
  type        = string
  sensitive   = true
}

variable "tenant" {
  type = string
}

variable "name" {
  description = "The cluster's."
  type        = string
}

variable "resources" {
  description = "What its pods may use in all; a small amount where null."
  type        = object({ cpu = string, memory = string, storage = string })
  default     = null
}

variable "accelerators" {
  description = "Classes of GET /api/v1/accelerator-classes. What the tenant's grants lack is asked for; until it is granted the cluster is AwaitingApproval."
  type        = list(object({ class = string, count = number }))
  default     = null
}

variable "add_ons" {
  description = "What of GET /api/v1/add-ons is put into the cluster, each in one version."
  type        = list(object({ name = string, version = string }))
  default     = null
}

variable "members" {
  description = "Who belongs to the tenant beside you: username = owner, member or viewer."
  type        = map(string)
  default     = {}
}

variable "wait_seconds" {
  description = "How long an apply waits for the cluster; 0 for not at all, as where people have to approve accelerators first."
  type        = number
  default     = 900
}
