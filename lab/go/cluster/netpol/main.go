package main

import (
	_ "github.com/florianl/go-nfqueue/v2"
	_ "sigs.k8s.io/kube-network-policies/pkg/network"
	_ "sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	_ "sigs.k8s.io/kube-network-policies/pkg/podinfo"
)

func main() {}
