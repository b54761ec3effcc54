package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/florianl/go-nfqueue/v2"
	"github.com/mdlayher/netlink"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/network"
)

const (
	headerBytes    = 128 // enough of a packet to read its addresses and ports
	packetsWaiting = 4096
)

// serveQueue judges packets until the context ends, or returns why it cannot.
// What overflows the queue is dropped by the kernel; the sender tries again.
func serveQueue(ctx context.Context, j *judge, number uint16, ready func()) error {
	queue, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      number,
		MaxPacketLen: headerBytes,
		MaxQueueLen:  packetsWaiting,
		Copymode:     nfqueue.NfQnlCopyPacket,
		Flags:        nfqueue.NfQaCfgFlagGSO,
		WriteTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		return fmt.Errorf("netfilter queue %d: %w", number, err)
	}
	defer queue.Close()
	// A full socket buffer must not end the reading: those packets are dropped.
	if err := queue.SetOption(netlink.NoENOBUFS, true); err != nil {
		return fmt.Errorf("netfilter queue %d: %w", number, err)
	}
	failed := make(chan error, 1)
	if err := queue.RegisterWithErrorFunc(ctx, verdicts(ctx, j, queue), stopOn(failed)); err != nil {
		return fmt.Errorf("netfilter queue %d: %w", number, err)
	}
	ready()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("reading netfilter queue %d: %w", number, err)
	}
}

func verdicts(ctx context.Context, j *judge, queue *nfqueue.Nfqueue) nfqueue.HookFunc {
	return func(a nfqueue.Attribute) int {
		if a.PacketID == nil {
			return 0
		}
		verdict := nfqueue.NfDrop
		if a.Payload != nil {
			packet, err := network.ParsePacket(*a.Payload)
			if err != nil {
				klog.V(1).InfoS("dropped: not to be read", "err", err)
			} else if packet.ID = *a.PacketID; j.allows(ctx, &packet) {
				verdict = nfqueue.NfAccept
			}
		}
		if err := queue.SetVerdict(*a.PacketID, verdict); err != nil {
			klog.ErrorS(err, "verdict not delivered; the packet stays held", "id", *a.PacketID)
		}
		return 0
	}
}

// stopOn hands the first lasting error over; passing ones are none.
func stopOn(failed chan<- error) nfqueue.ErrorFunc {
	return func(err error) int {
		var operation *netlink.OpError
		if errors.As(err, &operation) && (operation.Timeout() || operation.Temporary()) {
			return 0
		}
		select {
		case failed <- err:
		default:
		}
		return 1
	}
}
