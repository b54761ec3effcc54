{{- /* What is selected on: (list $ "portal"). */ -}}
{{- define "atoll.selector" -}}
app.kubernetes.io/name: atoll
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "atoll.image" -}}
{{- with .Values.imagePrefix -}}{{ trimSuffix "/" . }}/{{- end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- with .Values.image.digest -}}@{{ . }}{{- end -}}
{{- end -}}

{{- define "atoll.from-secret" -}}
{name: {{ index . 0 }}, valueFrom: {secretKeyRef: {name: {{ (index . 1).name | quote }}, key: {{ (index . 1).key | quote }}}}}
{{- end -}}

{{- /* What all processes are told; see portal/env.py. */ -}}
{{- define "atoll.env" -}}
- {name: ATOLL_HOME, value: /var/lib/atoll}
- {name: ATOLL_PUBLIC_URL, value: {{ .Values.publicUrl | quote }}}
- {name: ATOLL_LOG_FORMAT, value: {{ .Values.logFormat }}}
- {{ include "atoll.from-secret" (list "ATOLL_DATABASE_URL" .Values.secrets.databaseUrl) }}
- {{ include "atoll.from-secret" (list "ATOLL_SECRET_KEY" .Values.secrets.secretKey) }}
- {{ include "atoll.from-secret" (list "ATOLL_SEALING_KEYS" .Values.secrets.sealingKeys) }}
- {{ include "atoll.from-secret" (list "ATOLL_SIGNING_KEYS" .Values.secrets.signingKeys) }}
{{- end -}}

{{- /* For those who ring and those who hear; nobody else reaches the broker. */ -}}
{{- define "atoll.broker" -}}
- {{ include "atoll.from-secret" (list "ATOLL_BROKER_URL" .Values.secrets.brokerUrl) }}
{{- end -}}

{{- /* Of the pod. Without service links: a Service called "atoll" would set ATOLL_PORT, which settings refuse. */ -}}
{{- define "atoll.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- /* Of the container. */ -}}
{{- define "atoll.container" -}}
image: {{ include "atoll.image" . }}
imagePullPolicy: IfNotPresent
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "atoll.volumes" -}}
- {name: home, emptyDir: {}}
- {name: tmp, emptyDir: {}}
{{- end -}}

{{- define "atoll.mounts" -}}
- {name: home, mountPath: /var/lib/atoll}
- {name: tmp, mountPath: /tmp}
{{- end -}}
