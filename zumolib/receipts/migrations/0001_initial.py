import django.core.serializers.json
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("plan", models.UUIDField(editable=False, unique=True)),
                ("action", models.CharField(max_length=40)),
                ("target", models.CharField(help_text="What was acted on.", max_length=300)),
                ("summary", models.TextField(help_text="The action as one sentence.")),
                ("actor", models.CharField(help_text="Who.", max_length=200)),
                ("reason", models.TextField(blank=True, help_text="Why.")),
                (
                    "process",
                    models.CharField(help_text="Machine and process that carried it out.", max_length=200),
                ),
                ("started_at", models.DateTimeField(help_text="UTC.")),
                ("finished_at", models.DateTimeField(blank=True, help_text="UTC.", null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("started", "started, no end known"),
                            ("done", "done"),
                            ("partly", "done in part"),
                            ("cancelled", "cancelled before its end"),
                            ("failed", "failed"),
                        ],
                        default="started",
                        max_length=10,
                    ),
                ),
                ("outcome", models.TextField(blank=True, help_text="What came of it.")),
                (
                    "verified",
                    models.BooleanField(
                        blank=True, help_text="Seen afterwards; empty: not checked.", null=True
                    ),
                ),
                (
                    "asked",
                    models.JSONField(
                        default=dict,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="Masked.",
                    ),
                ),
                (
                    "affected",
                    models.JSONField(
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="Rows of the preview.",
                    ),
                ),
                ("affected_count", models.PositiveIntegerField(default=0)),
                (
                    "before",
                    models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                (
                    "after",
                    models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                (
                    "steps",
                    models.JSONField(
                        default=list,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="Outcome by target.",
                    ),
                ),
                ("caveats", models.JSONField(default=list, help_text="What the action cannot guarantee.")),
                (
                    "undo",
                    models.JSONField(
                        blank=True,
                        encoder=django.core.serializers.json.DjangoJSONEncoder,
                        help_text="The way back.",
                        null=True,
                    ),
                ),
                (
                    "undoes",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="receipts.receipt",
                    ),
                ),
            ],
            options={
                "verbose_name": "receipt",
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["action", "target"], name="receipt_action_target")],
            },
        ),
    ]
