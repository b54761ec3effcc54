{{- /* What the Service and people select on. The syncer renames a tenant's label "release", so no pod of a tenant has both. */ -}}
{{- define "virtual-cluster.selector" -}}
app: vcluster
release: {{ .Release.Name }}
{{- end -}}

{{- define "virtual-cluster.labels" -}}
{{ include "virtual-cluster.selector" . }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* An image reference: (list $ .Values.images.syncer). */ -}}
{{- define "virtual-cluster.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if eq $image.tag "latest" -}}
{{- fail (printf "image %s: give an exact tag; \"latest\" is another program every day" $image.repository) -}}
{{- end -}}
{{- with $root.Values.imagePrefix -}}{{ trimSuffix "/" . }}/{{- end -}}
{{ $image.repository }}:{{ $image.tag }}
{{- with $image.digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{- /* vCluster's configuration. It is read strictly and nothing in it is defaulted: an absent switch is off. */ -}}
{{- define "virtual-cluster.config" -}}
controlPlane:
  distro:
    k8s:
      enabled: true
      apiServer: {enabled: true}
      controllerManager:
        enabled: true
        # There is never a second one; with an election, a restarted one waits for the old lease to end.
        extraArgs: ["--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400"]
  backingStore: {database: {embedded: {enabled: true}}}
  coredns:
    enabled: true
    deployment:
      image: {{ include "virtual-cluster.image" (list . .Values.images.coredns) }}
      replicas: {{ .Values.coredns.replicas }}
      resources: {{ toJson .Values.coredns.resources }}
    service: {spec: {type: ClusterIP}}
  proxy:
    bindAddress: 0.0.0.0
    port: 8443
    extraSANs:
      - {{ .Release.Name }}.{{ .Release.Namespace }}.svc
      - {{ .Release.Name }}.{{ .Release.Namespace }}.svc.cluster.local
      {{- range .Values.extraSANs }}
      - {{ . | quote }}
      {{- end }}
  statefulSet: {scheduling: {podManagementPolicy: Parallel}}
  advanced:
    serviceAccount: {enabled: true}
    workloadServiceAccount: {enabled: true}
sync:
  toHost:
    pods:
      enabled: true
      # A token in an annotation would show in every list of pods.
      useSecretsForSATokens: true
      {{- with .Values.workloads.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      {{- with .Values.workloads.tolerations }}
      enforceTolerations: {{ toJson . }}
      {{- end }}
      # It would put an init container into every pod of a StatefulSet.
      rewriteHosts: {enabled: false}
    secrets: {enabled: true}
    configMaps: {enabled: true}
    services: {enabled: true}
    endpoints: {enabled: true}
    persistentVolumeClaims: {enabled: true}
  fromHost:
    events: {enabled: true}
    {{- with .Values.workloads.nodeSelector }}
    # Not "enabled": nodes stay unseen, but the labels become the pods' node selector.
    nodes: {selector: {labels: {{ toJson . }}}}
    {{- end }}
networking: {advanced: {clusterDomain: {{ .Values.clusterDomain }}}}
serviceCIDR: {{ .Values.serviceCIDR }}
# What the syncer makes belongs to the Service, so that it goes when the release goes.
experimental: {syncSettings: {setOwner: true}}
telemetry: {enabled: false}
{{- end -}}
