import hashlib
import json
from datetime import UTC

import django.utils.timezone
from django.db import migrations, models

START = '0' * 64


def chain_what_is_there(apps, schema_editor):
    """Rows from before the chain become its first links, as they are found; then the head."""
    events = apps.get_model('tenancy', 'AuditEvent')
    sequence, previous, batch = 0, START, []
    for row in events.objects.order_by('id').iterator():
        sequence += 1
        content = {
            'format': 'atoll.audit/v1',
            'sequence': sequence,
            'at': row.at.astimezone(UTC).isoformat(timespec='microseconds').replace('+00:00', 'Z'),
            'actor': row.actor,
            'action': row.action,
            'tenant': row.tenant,
            'target': row.target,
            'facts': row.facts,
            'previous': previous,
        }
        text = json.dumps(content, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
        row.sequence, row.previous = sequence, previous
        previous = row.digest = hashlib.sha256(text.encode()).hexdigest()
        batch.append(row)
        if len(batch) == 500:
            events.objects.bulk_update(batch, ['sequence', 'previous', 'digest'])
            batch = []
    events.objects.bulk_update(batch, ['sequence', 'previous', 'digest'])
    apps.get_model('tenancy', 'AuditHead').objects.create(pk=1, sequence=sequence, digest=previous)


class Migration(migrations.Migration):

    dependencies = [
        ('tenancy', '0009_traffic_blocked'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditDenial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('actor', models.CharField(max_length=150)),
                ('attempted', models.CharField(max_length=60)),
                ('tenant', models.CharField(blank=True, max_length=20)),
                ('target', models.CharField(max_length=200)),
                ('reason', models.CharField(max_length=500)),
                ('count', models.PositiveIntegerField(default=0)),
                ('since', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('actor', 'attempted', 'tenant'), name='tenancy_audit_denial_once')],
            },
        ),
        migrations.CreateModel(
            name='AuditHead',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('sequence', models.BigIntegerField(default=0)),
                ('digest', models.CharField(max_length=64)),
                ('signed', models.TextField(blank=True)),
                ('signed_sequence', models.BigIntegerField(default=0)),
                ('signed_at', models.DateTimeField(null=True)),
                ('checked_sequence', models.BigIntegerField(default=0)),
                ('checked_at', models.DateTimeField(null=True)),
                ('faults', models.JSONField(default=list)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='tenancy_audit_one_head')],
            },
        ),
        migrations.AlterModelOptions(
            name='auditevent',
            options={'ordering': ['-sequence']},
        ),
        migrations.AlterField(
            model_name='auditevent',
            name='at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='sequence',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='auditevent',
            name='previous',
            field=models.CharField(default='', max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='auditevent',
            name='digest',
            field=models.CharField(default='', max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(chain_what_is_there, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='auditevent',
            name='sequence',
            field=models.BigIntegerField(unique=True),
        ),
        migrations.AddConstraint(
            model_name='auditevent',
            constraint=models.CheckConstraint(condition=models.Q(('sequence__gte', 1)), name='tenancy_audit_sequence_from_one'),
        ),
    ]
