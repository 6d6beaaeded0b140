{{- define "heddle.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "heddle.fullname" -}}
{{- $name := include "heddle.name" . -}}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $whole .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* What names the pods of a release; never changes. */}}
{{- define "heddle.selector" -}}
app.kubernetes.io/name: {{ include "heddle.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "heddle.labels" -}}
{{ include "heddle.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end -}}

{{- define "heddle.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "heddle.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{- define "heddle.secret" -}}
{{ default (include "heddle.fullname" .) .Values.secret.existing }}
{{- end -}}

{{- define "heddle.claim" -}}
{{ default (include "heddle.fullname" .) .Values.persistence.existingClaim }}
{{- end -}}

{{- define "heddle.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{/* Numbers in values are floats, and 1000000 would be written 1e+06. */}}
{{- define "heddle.plain" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ printf "%.0f" . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end -}}

{{/* The settings that all processes share, as a ConfigMap's data. */}}
{{- define "heddle.settings" -}}
HEDDLE_HOME: /var/lib/heddle
HEDDLE_HOST: 0.0.0.0
HEDDLE_PORT: "8765"
HEDDLE_PROBE_PORT: "9101"
HEDDLE_METRICS: {{ ternary "open" "loopback" .Values.metrics.enabled }}
{{- with .Values.publicUrl }}
HEDDLE_PUBLIC_URL: {{ . | quote }}
{{- end }}
{{- if .Values.ray.enabled }}
HEDDLE_EXECUTOR: ray
HEDDLE_RAY_ADDRESS: {{ .Values.ray.address | quote }}
HEDDLE_RAY_SLOT_RESOURCES: {{ .Values.ray.slotResources | toJson | quote }}
HEDDLE_RAY_TOKEN_FILE: /etc/heddle/ray/{{ .Values.ray.tokenKey }}
{{- end }}
{{- range $name, $value := .Values.settings }}
HEDDLE_{{ upper $name }}: {{ include "heddle.plain" $value | quote }}
{{- end }}
{{- end -}}

{{- define "heddle.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Whole seconds that a pod of one duty gets to stop, above the times in which it lets requests and jobs end. */}}
{{- define "heddle.patience" -}}
{{- $root := index . 0 -}}
{{- $duty := index . 1 -}}
{{- if eq $duty "api" -}}
{{ add $root.Values.api.drainSeconds 20 }}
{{- else if eq $duty "dispatch" -}}
{{ add $root.Values.dispatch.graceSeconds 40 }}
{{- else -}}
30
{{- end -}}
{{- end -}}

{{/* A quantity such as 200Mi or 1Gi as bytes, for programs that want a number. */}}
{{- define "heddle.bytes" -}}
{{- if hasSuffix "Gi" . -}}
{{ mul (trimSuffix "Gi" . | int64) 1073741824 }}
{{- else if hasSuffix "Mi" . -}}
{{ mul (trimSuffix "Mi" . | int64) 1048576 }}
{{- else -}}
{{ fail (printf "%q is not a size like 200Mi or 1Gi" .) }}
{{- end -}}
{{- end -}}
