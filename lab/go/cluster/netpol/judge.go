package main

import (
	"context"
	"net"
	"net/netip"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo"
)

// judge says whether a connection may be.
type judge struct {
	engine    *networkpolicy.PolicyEngine
	pods      podinfo.IPResolver
	podRanges []netip.Prefix
	// isLocal tells this node's own addresses, some of which (the bridge's) lie
	// in the pod ranges.
	isLocal func(netip.Addr) bool
}

// newJudge must be called before the factory starts: it adds an index.
func newJudge(factory informers.SharedInformerFactory, node string, podRanges []netip.Prefix) (*judge, error) {
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	if _, err := podinfo.NewInformerResolver(pods.Informer()); err != nil { // for its index
		return nil, err
	}
	resolver := livePods{pods.Informer().GetIndexer()}
	provider := podinfo.NewInformerProvider(pods, namespaces, nil, []podinfo.IPResolver{resolver})
	standard := networkpolicy.NewStandardNetworkPolicy(node, namespaces, pods, factory.Networking().V1().NetworkPolicies())
	engine := networkpolicy.NewPolicyEngine(provider, []api.PolicyEvaluator{standard})
	return &judge{engine: engine, pods: resolver, podRanges: podRanges, isLocal: hasLocalAddress}, nil
}

// allows is false on any doubt.
func (j *judge) allows(ctx context.Context, packet *network.Packet) bool {
	if j.isUnknownPod(packet.SrcIP) || j.isUnknownPod(packet.DstIP) {
		klog.V(1).InfoS("dropped: no known pod has this address", of(packet)...)
		return false
	}
	allowed, err := j.engine.EvaluatePacket(ctx, packet)
	if err != nil {
		klog.ErrorS(err, "dropped: not to be judged", of(packet)...)
		return false
	}
	if !allowed {
		klog.V(1).InfoS("dropped by policy", of(packet)...)
	}
	return allowed
}

// of describes a packet for the log, its payload left out.
func of(packet *network.Packet) []any {
	return []any{
		"from", packet.SrcIP, "fromPort", packet.SrcPort,
		"to", packet.DstIP, "toPort", packet.DstPort, "protocol", packet.Proto,
	}
}

// isUnknownPod is true for an address that only a pod can have when the API
// tells of no such pod, or not yet: the engine would let it pass every policy.
func (j *judge) isUnknownPod(ip net.IP) bool {
	address, ok := netip.AddrFromSlice(ip)
	if !ok {
		return true
	}
	address = address.Unmap()
	inRange := slices.ContainsFunc(j.podRanges, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
	if !inRange {
		return false
	}
	if _, known := j.pods.LookupPod(ip.String()); known {
		return false
	}
	return !j.isLocal(address)
}

// hasLocalAddress asks the kernel each time: addresses come with the first pod's bridge.
func hasLocalAddress(address netip.Addr) bool {
	locals, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(locals, func(local net.Addr) bool {
		prefix, err := netip.ParsePrefix(local.String())
		return err == nil && prefix.Addr().Unmap() == address
	})
}

// livePods finds pods by address. A finished pod's address may already belong to
// another, whose policies would then not be asked: it is passed over.
type livePods struct{ indexer cache.Indexer }

// LookupPod gives a live pod's key, a running one's rather than a pending one's.
func (l livePods) LookupPod(ip string) (string, bool) {
	objects, err := l.indexer.ByIndex(podinfo.PodIPIndex, ip)
	if err != nil {
		return "", false
	}
	var found *v1.Pod
	for _, object := range objects {
		pod, ok := object.(*v1.Pod)
		if !ok || pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
			continue
		}
		if found == nil || pod.Status.Phase == v1.PodRunning {
			found = pod
		}
	}
	if found == nil {
		return "", false
	}
	return found.Namespace + "/" + found.Name, true
}
