# The same with the provider magodo/restful, which polls by itself: no curl, and an import is complete.
terraform {
  required_version = ">= 1.5"
  required_providers {
    restful = { source = "magodo/restful" }
  }
}

variable "atoll_url" { type = string }

variable "atoll_token" {
  type      = string
  sensitive = true
}

provider "restful" {
  base_url      = "${var.atoll_url}/api/v1"
  create_method = "PUT"
  security      = { http = { token = { token = var.atoll_token } } }
}

locals {
  cluster = "/tenants/demo/clusters/first"
  ready = {
    url_locator    = "exact.${local.cluster}/ready?wait=30s"
    status_locator = "code"
    status         = { success = "200", pending = ["503"] }
  }
}

resource "restful_resource" "cluster" {
  path         = local.cluster
  body         = { spec = { resources = { cpu = "2", memory = "4Gi", storage = "10Gi" } } }
  output_attrs = ["metadata.uid", "status.endpoint"]
  poll_create  = local.ready
  poll_update  = local.ready
  poll_delete = {
    status_locator = "code"
    status         = { success = "404", pending = ["200", "202"] }
  }
}

# terraform import restful_resource.cluster '{"id": "/tenants/demo/clusters/first",
#   "path": "/tenants/demo/clusters/first", "body": {"spec": null}}'
