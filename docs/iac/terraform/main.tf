terraform {
  required_version = ">= 1.5"
  required_providers {
    restapi = { source = "Mastercard/restapi" }
  }
}

provider "restapi" {
  uri                  = "${var.atoll_url}/api/v1"
  headers              = { Authorization = "Bearer ${var.atoll_token}" }
  id_attribute         = "metadata/name"
  create_method        = "PUT" # your own key: an apply that was cut short goes on with the same object
  write_returns_object = true
  timeout              = 60
}

locals {
  clusters = "/tenants/${var.tenant}/clusters"
  wish     = { resources = var.resources, accelerators = var.accelerators, addOns = var.add_ons }
  spec     = { for field, value in local.wish : field => value if value != null }
}

resource "restapi_object" "cluster" {
  path         = local.clusters
  create_path  = "${local.clusters}/{id}"
  destroy_path = "${local.clusters}/{id}?wait=50s" # until nothing is left of it
  data         = jsonencode({ metadata = { name = var.name }, spec = local.spec })
}

resource "restapi_object" "member" {
  for_each    = var.members
  path        = "/tenants/${var.tenant}/members"
  create_path = "/tenants/${var.tenant}/members/{id}"
  data        = jsonencode({ metadata = { name = each.key }, spec = { role = each.value } })
}

# Waits after each change of the cluster, with curl: 503 is asked again, 409 (it failed, or goes) is not.
resource "terraform_data" "ready" {
  count = var.wait_seconds > 0 ? 1 : 0

  provisioner "local-exec" {
    command = <<-EOT
      printf 'header = "Authorization: Bearer %s"' "$TOKEN" | curl --config - --silent --show-error \
        --fail-with-body --output /dev/null --retry 1000 --retry-max-time "$SECONDS_MAX" "$READY?wait=30s"
    EOT
    environment = {
      TOKEN       = var.atoll_token
      READY       = "${var.atoll_url}/api/v1${local.clusters}/${restapi_object.cluster.id}/ready"
      SECONDS_MAX = var.wait_seconds
    }
  }

  lifecycle {
    replace_triggered_by = [restapi_object.cluster]
  }
}

# Read after the waiting: what a write answers is from before.
data "restapi_object" "seen" {
  path              = local.clusters
  query_string      = "name=${restapi_object.cluster.id}"
  read_query_string = ""
  results_key       = "items"
  search_key        = "metadata/name"
  search_value      = restapi_object.cluster.id

  depends_on = [terraform_data.ready]
}

output "cluster" {
  description = "What is built, and where its API is. Credentials are not here, as a state keeps them: see the README."
  value = {
    uid       = jsondecode(data.restapi_object.seen.api_response).metadata.uid
    endpoint  = jsondecode(data.restapi_object.seen.api_response).status.endpoint
    effective = jsondecode(data.restapi_object.seen.api_response).status.effective
  }
}
