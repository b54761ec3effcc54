{{- /* What every policy shares. Test copies differ by name, label and prefix only: see values.yaml, "policies". */ -}}

{{- /* (list $ "placement") */ -}}
{{- define "host.policy.metadata" -}}
name: {{ (index . 0).Values.policies.name }}-{{ index . 1 }}
labels:
  tenancy.atoll.internal/policies: {{ (index . 0).Chart.Version | quote }}
{{- end -}}

{{- /* What the provisioner may put back. */ -}}
{{- define "host.policy.kept" -}}
{{- range (.Files.Get "files/policies.yaml" | fromYaml).kept }}
- {{ $.Values.policies.name }}-{{ . }}
{{- end }}
{{- end -}}

{{- /* In force in every tenant's namespace. */ -}}
{{- define "host.policy.binding" -}}
{{- $root := index . 0 -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "host.policy.metadata" . | nindent 2 }}
spec:
  policyName: {{ $root.Values.policies.name }}-{{ index . 1 }}
  validationActions: [Deny, Audit]
  matchResources:
    namespaceSelector:
      matchExpressions:
        - {key: {{ $root.Values.policies.label }}, operator: Exists}
{{- end -}}

{{- /* In force everywhere. */ -}}
{{- define "host.policy.binding.everywhere" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{- include "host.policy.metadata" . | nindent 2 }}
spec:
  policyName: {{ (index . 0).Values.policies.name }}-{{ index . 1 }}
  validationActions: [Deny, Audit]
{{- end -}}

{{- /* Who asks is a service account of a tenant's namespace: the syncer, or whoever stole its token. */ -}}
{{- define "host.policy.tenant" -}}
- name: tenant-identity
  expression: >-
    request.userInfo.username.startsWith('system:serviceaccount:{{ .Values.policies.namespacePrefix }}') &&
    !request.userInfo.username.startsWith('system:serviceaccount:{{ .Values.namespace.name }}:')
{{- end -}}

{{- /* Whose pods are the control plane's: known by who makes them, never by a label. */ -}}
{{- define "host.policy.statefulsets" -}}
system:serviceaccount:kube-system:statefulset-controller
{{- end -}}

{{- /* A pod that is not the control plane's, made by anybody or changed by a tenant: what controllers change of an
       old pod, they change to end it. */ -}}
{{- define "host.policy.tenants-pod" -}}
- name: not-the-control-plane
  expression: "request.userInfo.username != '{{ include "host.policy.statefulsets" . }}'"
- name: made-or-changed-by-a-tenant
  expression: >-
    request.operation == 'CREATE' ||
    request.userInfo.username.startsWith('system:serviceaccount:{{ .Values.policies.namespacePrefix }}')
{{- end -}}

{{- /* An annotation or label of the tenant's namespace as CEL; absent is "?", which nothing matches:
       (list "annotations" "node-selector" "?"). */ -}}
{{- define "host.policy.parameter" -}}
namespaceObject.metadata.?{{ index . 0 }}[?'tenancy.atoll.internal/{{ index . 1 }}'].orValue('{{ index . 2 }}')
{{- end -}}

{{- /* A pod's node selector has every pair of variables.selector. */ -}}
{{- define "host.policy.selected" -}}
variables.selector.split(',').all(pair, pair == '' ||
object.spec.?nodeSelector[?pair.split('=')[0]].orValue('') == pair.split('=')[1])
{{- end -}}

{{- /* Tolerations that every pod or every daemon gets from Kubernetes itself, and those of the pool. */ -}}
{{- define "host.policy.tolerations" -}}
- name: tolerated
  expression: >-
    ['node.kubernetes.io/not-ready:Exists:NoExecute', 'node.kubernetes.io/unreachable:Exists:NoExecute',
    'node.kubernetes.io/disk-pressure:Exists:NoSchedule', 'node.kubernetes.io/memory-pressure:Exists:NoSchedule',
    'node.kubernetes.io/pid-pressure:Exists:NoSchedule', 'node.kubernetes.io/unschedulable:Exists:NoSchedule'] +
    {{ include "host.policy.parameter" (list "annotations" "tolerations" "") }}.split(',')
- name: foreign
  expression: >-
    object.spec.?tolerations.orValue([]).map(t, {{ include "host.policy.toleration" "t" }})
    .filter(t, !(t in variables.tolerated))
{{- end -}}

{{- /* A toleration as one word, "key=value:Effect" or "key:Exists:Effect"; other operators stay told apart. */ -}}
{{- define "host.policy.toleration" -}}
({{ . }}.?key.orValue('') + ({{ . }}.?operator.orValue('Equal') == 'Equal' ? '=' : ':' + {{ . }}.operator) + {{ . }}.?value.orValue('') + ':' + {{ . }}.?effect.orValue(''))
{{- end -}}

{{- /* Whether pods must have a user namespace of their own: "required" or anything else. */ -}}
{{- define "host.policy.userns" -}}
{{ include "host.policy.parameter" (list "labels" "user-namespaces" "") }}
{{- end -}}

{{- /* Node labels that the pod must select for the devices it asks for: "resource:label=value" of the namespace. */ -}}
{{- define "host.policy.models" -}}
- name: asked
  expression: >-
    (dyn(object.spec.containers) + dyn(object.spec.?initContainers.orValue([]))).map(c,
    [c.?resources.?limits.orValue({}), c.?resources.?requests.orValue({})]).flatten().map(a, a.map(name, name)).flatten()
- name: models
  expression: >-
    {{ include "host.policy.parameter" (list "annotations" "device-nodes" "") }}.split(',').filter(m, m.contains(':') &&
    m.split(':')[0] in variables.asked).map(m, m.split(':')[1])
{{- end -}}

{{- /* Whether a pod of an untrusted tenant asks for devices: extended resources, whatever they are called, or claims. */ -}}
{{- define "host.policy.gated" -}}
{{ include "host.policy.parameter" (list "labels" "trust" "untrusted") }} != 'trusted' &&
((dyn(object.spec.containers) + dyn(object.spec.?initContainers.orValue([]))).exists(c,
[c.?resources.?limits.orValue({}), c.?resources.?requests.orValue({})].exists(amounts,
amounts.exists(name, name.contains('/') && !name.split('/')[0].endsWith('kubernetes.io')))) ||
object.spec.?resourceClaims.orValue([]).size() > 0)
{{- end -}}

{{- /* Takes the right to raw packets from the containers of one kind that do not give it up themselves; of those for
       debugging, from new ones. */ -}}
{{- define "host.policy.quiet" -}}
object.spec.?{{ . }}.orValue([]).transformList(i, c,
{{- if eq . "ephemeralContainers" }}
!oldObject.spec.?ephemeralContainers.orValue([]).exists(o, o.name == c.name) &&
{{- end }}
!c.?securityContext.?capabilities.?drop.orValue([]).exists(d, d in ['ALL', 'NET_RAW']),
(c.?securityContext.hasValue() ? [] :
[JSONPatch{op: 'add', path: '/spec/{{ . }}/' + string(i) + '/securityContext', value: {}}]) +
(c.?securityContext.?capabilities.hasValue() ? [] :
[JSONPatch{op: 'add', path: '/spec/{{ . }}/' + string(i) + '/securityContext/capabilities', value: {}}]) +
(c.?securityContext.?capabilities.?drop.hasValue() ? [] :
[JSONPatch{op: 'add', path: '/spec/{{ . }}/' + string(i) + '/securityContext/capabilities/drop', value: []}]) +
[JSONPatch{op: 'add', path: '/spec/{{ . }}/' + string(i) + '/securityContext/capabilities/drop/-', value: 'NET_RAW'}]).flatten()
{{- end -}}
