# What admins keep: an add-on, and the template that brings it to every cluster on it. The token is an admin's, made for decisions.
terraform {
  required_version = ">= 1.5"
  required_providers {
    restapi = { source = "Mastercard/restapi" }
  }
}

provider "restapi" {
  uri                  = "${var.atoll_url}/api/v1"
  headers              = { Authorization = "Bearer ${var.atoll_token}" }
  id_attribute         = "metadata/version"
  create_method        = "PUT"
  write_returns_object = true
  timeout              = 60
}

# What is published never changes. To change it, add a version here, move the template on, and take the old one out later.
locals {
  versions = { "1.0.0" = file("${path.module}/limits-1.0.0.yaml") }
  newest   = "1.0.0"
}

resource "restapi_object" "limits" {
  for_each    = local.versions
  path        = "/add-ons/limits/versions"
  create_path = "/add-ons/limits/versions/{id}"
  data        = jsonencode({ metadata = { version = each.key }, spec = { manifests = each.value } })
}

resource "restapi_object" "small" {
  path         = "/cluster-templates"
  create_path  = "/cluster-templates/{id}"
  id_attribute = "metadata/name"
  data         = jsonencode({ metadata = { name = "small" }, spec = { description = "With limits for pods" } })
  depends_on   = [restapi_object.limits] # what a template names can be removed after it
}

# A version of a template cannot be removed by itself: it goes with the template.
resource "terraform_data" "small" {
  triggers_replace = [local.newest]

  provisioner "local-exec" {
    command = <<-EOT
      printf 'header = "Authorization: Bearer %s"' "$TOKEN" | curl --config - --silent --show-error --fail-with-body \
        --output /dev/null --request PUT --header 'Content-Type: application/json' --data "$BODY" "$URL"
    EOT
    environment = {
      TOKEN = var.atoll_token
      URL   = "${var.atoll_url}/api/v1/cluster-templates/${restapi_object.small.id}/versions/${local.newest}"
      BODY = jsonencode({ spec = {
        cluster = { addOns = [{ name = "limits", version = restapi_object.limits[local.newest].id }] }
        locked  = ["addOns"]
      } })
    }
  }
}

variable "atoll_url" {
  type = string
}

variable "atoll_token" {
  type      = string
  sensitive = true
}
