"""Secrets that have a shape of their own, as data: what they begin with, and what follows.

To know another kind, add its line to `DETECTORS`. Where a kind has no literal beginning, or has parts that depend on
each other, it has a pattern in `shapes.py`.
"""

from __future__ import annotations

from typing import Final

from lambda_warden.redaction.detector import Detector

HEX: Final = "0-9a-f"
UPPER: Final = "A-Z0-9"
LOWER: Final = "a-z0-9"
ALNUM: Final = "A-Za-z0-9"
WORD: Final = "A-Za-z0-9_"
URL: Final = "A-Za-z0-9_-"
"""The alphabet of base64url (RFC 4648, section 5)."""
DOTTED: Final = "A-Za-z0-9_.-"
BASE64: Final = "A-Za-z0-9+/="
"""The alphabet of base64 (RFC 4648, section 4)."""
ENCODED: Final = "A-Za-z0-9+/=_%-"
"""Base64 as it may stand in a URL, percent-encoded."""
PATH: Final = r"A-Za-z0-9_@.\\/-"
CRYPT: Final = "A-Za-z0-9./+=,$"
"""crypt(5): salt, parameters and hash."""

DETECTORS: Final = (
    # AWS: STS, "Using temporary credentials"; Bedrock, "API keys"; AppSync, "API_KEY authorization"; MWS.
    Detector("aws-session-token", ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz", "AQoDYXdz"), ENCODED, 60, None, 3.5),
    Detector("aws-bedrock-key", ("ABSK",), BASE64, 60, None, 3.5),
    Detector("aws-bedrock-key", ("bedrock-api-key-",), BASE64, 40, None, 3.5),
    Detector("aws-appsync-key", ("da2-",), LOWER, 26, 26, 2.5),
    Detector("aws-mws-token", ("amzn.mws.",), "0-9a-f-", 36, 36, 2.5),
    Detector("amazon-client-secret", ("amzn1.oa2-cs.v1.",), HEX, 40, None, 2.5),
    Detector("amazon-token", ("Atza|", "Atzr|"), ENCODED, 40, None, 3),
    # Microsoft: "Shared access signatures", "Storage account keys", "Connection strings", "Personal access tokens".
    Detector("azure-signature", ("sig=", "Signature="), "~" + ENCODED, 40, None, 3.5, keep=True),
    Detector("azure-key", ("AccountKey=", "SharedAccessKey=", "SharedSecretValue="), BASE64, 20, None, 3, keep=True),
    # Google Cloud: "Signed URLs", "API keys"; Google Identity, "OAuth 2.0"; Firebase Cloud Messaging.
    Detector("google-signature", ("X-Goog-Signature=", "X-Goog-Signature%3D"), HEX, 32, None, 2.5, keep=True),
    Detector("google-key", ("AIza",), URL, 35, 35, 3),
    Detector("google-key", ("ya29.", "1//0"), URL, 20, None, 2.5),
    Detector("google-key", ("GOCSPX-",), URL, 28, None, 2.5),
    # Alibaba Cloud, Tencent Cloud, IBM Cloud, Oracle, Yandex, Scaleway, OVH, Exoscale: "Access keys", "API keys".
    Detector("alibaba-key", ("LTAI",), ALNUM, 17, 21, 3),
    Detector("volcengine-key", ("AKLT",), ALNUM, 40, None, 3.5),
    Detector("tencent-key", ("AKID",), ALNUM, 32, 36, 3),
    Detector("yandex-key", ("AQVN",), URL, 35, 38, 3),
    Detector("yandex-key", ("t1.",), DOTTED, 80, None, 3.5),
    Detector("yandex-key", ("y0_",), URL, 40, None, 3.5),
    Detector("scaleway-key", ("SCW",), UPPER, 17, 17, 3),
    Detector("ibm-key", ("ApiKey-",), "0-9a-f-", 36, 36, 2.5),
    # Hosts: DigitalOcean, Heroku, Fly.io, Render, Netlify, Vercel, Cloudflare, Railway, PlanetScale, Supabase, Neon …
    Detector("digitalocean-token", ("dop_v1_", "doo_v1_", "dor_v1_"), HEX, 40, None, 2.5),
    Detector("heroku-key", ("HRKU-",), URL, 30, None, 2.5),
    Detector("fly-token", ("FlyV1 ", "fo1_", "fm1r_", "fm2_", "fm1a_"), BASE64 + "_,-", 30, None, 3),
    Detector("render-key", ("rnd_",), ALNUM, 24, None, 3),
    Detector("netlify-token", ("nfp_", "nfc_", "nfo_", "nfu_", "nfb_"), ALNUM, 30, None, 3),
    Detector("vercel-token", ("vcp_", "vci_", "vca_", "vcr_", "vck_"), ALNUM, 24, None, 3),
    Detector("vercel-token", ("vercel_blob_rw_",), WORD, 24, None, 3),
    Detector("cloudflare-key", ("v1.0-",), "0-9a-f-", 100, None, 3),
    Detector("cloudflare-key", ("cfut_", "cfat_", "cfk_", "cfoat_"), URL, 30, None, 3),
    Detector("planetscale-token", ("pscale_tkn_", "pscale_oauth_", "pscale_pw_"), DOTTED, 30, None, 3),
    Detector("supabase-key", ("sbp_", "sb_secret_", "sbp_oauth_", "sbp_v0_"), URL, 24, None, 3),
    Detector("neon-key", ("napi_",), LOWER, 40, None, 3),
    Detector("mongodb-key", ("mdb_sa_sk_", "mdb_sa_id_"), URL, 24, None, 3),
    Detector("clickhouse-key", ("4b1d",), ALNUM, 38, 38, 3.5),
    # Code and packages: GitHub, GitLab, Bitbucket, npm, PyPI, RubyGems, crates.io, NuGet, Docker, JFrog, Sonar …
    Detector("github-token", ("github_pat_",), WORD, 22, None, 2.5),
    Detector(
        "gitlab-token",
        (
            *("glpat-", "gloas-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glimt-"),
            *("glagent-", "glsoat-", "glffct-", "glwt-", "GR1348941"),
        ),
        DOTTED,
        20,
        None,
        2.5,
    ),
    Detector("gitlab-session", ("_gitlab_session=",), LOWER, 32, None, 2.5, keep=True),
    Detector("bitbucket-token", ("ATBB", "ATCTT3xFfG", "BBDC-"), BASE64 + "_-", 24, None, 3),
    Detector("atlassian-token", ("ATATT3", "ATSTT3", "ATOA"), BASE64 + "_-", 60, None, 3.5),
    Detector("npm-token", ("npm_",), ALNUM, 36, None, 2.5),
    Detector("npm-token", ("_authToken=",), DOTTED, 16, None, 2.5, keep=True),
    Detector("pypi-token", ("pypi-Ag",), URL, 50, None, 2.5),
    Detector("rubygems-key", ("rubygems_",), LOWER, 40, None, 2.5),
    Detector("crates-token", ("cio",), ALNUM, 32, 32, 3.5),
    Detector("nuget-key", ("oy2",), LOWER, 43, 43, 3.5),
    Detector("clojars-token", ("CLOJARS_",), LOWER, 60, 60, 3),
    Detector("docker-token", ("dckr_pat_", "dckr_oat_"), URL, 20, None, 2.5),
    Detector("artifactory-key", ("AKC",), ALNUM, 60, None, 3),
    Detector("artifactory-token", ("cmVmd",), ALNUM, 43, None, 3),
    Detector("sonar-token", ("squ_", "sqp_", "sqa_"), HEX, 40, None, 2.5),
    Detector("snyk-token", ("snyk_uat.", "snyk_sat."), DOTTED, 30, None, 3),
    Detector("sourcegraph-token", ("sgp_", "sgd_", "slk_", "sgs_"), WORD, 40, None, 2.5),
    Detector("circleci-token", ("CCIPAT_", "CCIPRJ_"), WORD, 30, None, 3),
    Detector("buildkite-token", ("bkua_", "bkaj_", "bkct_"), LOWER, 40, None, 2.5),
    Detector("harness-token", ("pat.", "sat."), DOTTED, 60, None, 3.5),
    # Infrastructure: HashiCorp, Pulumi, Databricks, Doppler, Infisical, Tailscale, Teleport, OpenShift, Kubernetes …
    Detector("vault-token", ("hvs.", "hvb.", "hvr."), URL, 20, None, 2.5),
    Detector("vault-token", ("s.", "b."), ALNUM, 24, 24, 3.5),
    Detector("pulumi-token", ("pul-",), LOWER, 40, 40, 2.5),
    Detector("databricks-token", ("dapi", "dose", "dsapi", "dkea"), "0-9a-f-", 32, 36, 2.5),
    Detector("doppler-token", ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."), DOTTED, 30, None, 3),
    Detector("infisical-token", ("st.",), DOTTED, 60, None, 3.5),
    Detector("tailscale-key", ("tskey-",), DOTTED, 16, None, 2.5),
    Detector("openshift-token", ("sha256~",), URL, 40, None, 3),
    Detector("onepassword-token", ("ops_ey",), BASE64 + "_-", 60, None, 3.5),
    Detector("onepassword-key", ("A3-",), "A-Z0-9-", 30, None, 3),
    Detector("age-key", ("AGE-SECRET-KEY-1",), UPPER, 50, None, 3),
    Detector("age-key", ("AGE-PLUGIN-",), "A-Z0-9-", 40, None, 3),
    Detector("wireguard-key", ("PrivateKey = ", "PresharedKey = "), BASE64, 43, 44, 3.5, keep=True),
    Detector("prefect-key", ("pnu_", "pnb_"), ALNUM, 36, None, 3),
    Detector("okta-token", ("SSWS ",), URL, 40, None, 3),
    # Base64 of `-----BEGIN … PRIVATE KEY`, as kubeconfig and Kubernetes' secrets hold it.
    Detector(
        "private-key",
        (
            *("LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0t", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVkt"),
            *("LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0t", "LS0tLS1CRUdJTiBPUEVOU1NIIFBSSVZBVEUgS0VZ"),
            "LS0tLS1CRUdJTiBFTkNSWVBURUQgUFJJVkFURSBLRVkt",
        ),
        BASE64,
        10,
        None,
        2,
    ),
    # What watches: Grafana, Sentry, New Relic, Datadog, Dynatrace, Honeycomb, PostHog, Rollbar, Axiom, Logfire …
    Detector("grafana-token", ("glsa_", "glc_"), BASE64 + "_", 32, None, 3),
    Detector("grafana-key", ("eyJrIjoi",), BASE64, 60, None, 3.5),
    Detector("sentry-token", ("sntrys_", "sntryu_", "sntrya_", "sntryi_"), BASE64 + "_", 40, None, 2.5),
    Detector(
        "newrelic-key", ("NRAK-", "NRJS-", "NRII-", "NRIQ-", "NRBR-", "NRAA-", "NRRA-", "NRSP-"), URL, 19, None, 2.5
    ),
    Detector("datadog-key", ("pub",), HEX, 32, 34, 2.5),
    Detector("dynatrace-token", ("dt0c01.", "dt0s01.", "dt0s02.", "dt0s06.", "dt0s16."), DOTTED, 40, None, 3),
    Detector("honeycomb-key", ("hcaik_", "hcxik_", "hcamk_", "hcalk_"), LOWER, 32, None, 3),
    Detector("infracost-key", ("ico-",), ALNUM, 32, 32, 3),
    Detector("octopus-key", ("API-",), "A-Z0-9", 26, 26, 3),
    Detector("elastic-key", ("essu_",), BASE64, 40, None, 3),
    Detector("posthog-key", ("phx_", "phs_"), ALNUM, 32, None, 3),
    Detector("axiom-token", ("xaat-", "xapt-"), "0-9a-f-", 36, 36, 2.5),
    Detector("logfire-token", ("pylf_v1_",), WORD, 30, None, 3),
    Detector("langsmith-key", ("lsv2_pt_", "lsv2_sk_", "ls__"), WORD, 32, None, 2.5),
    Detector("langfuse-key", ("sk-lf-",), "0-9a-f-", 36, 36, 2.5),
    Detector("launchdarkly-key", ("sdk-", "api-", "mob-", "rel-"), "0-9a-f-", 36, 36, 2.5),
    # Models: Anthropic, OpenAI and those that follow its form, Hugging Face, Groq, xAI, Perplexity, Replicate …
    Detector(
        "ai-key",
        (
            *("sk-ant-", "sk-proj-", "sk-svcacct-", "sk-service-", "sk-admin-", "sk-None-", "sk-or-v1-", "sess-"),
            *("sk-helicone-", "sk-kimi-", "sk-cp-"),
        ),
        URL,
        20,
        None,
        2,
    ),
    Detector("ai-key", ("sk-",), ALNUM, 32, None, 2),
    Detector("huggingface-token", ("hf_", "api_org_"), ALNUM, 30, None, 2.9),  # of letters alone
    Detector("groq-key", ("gsk_",), ALNUM, 40, None, 3),
    Detector("xai-key", ("xai-",), ALNUM, 60, None, 3),
    Detector("perplexity-key", ("pplx-",), ALNUM, 40, None, 2.5),
    Detector("replicate-token", ("r8_",), URL, 30, None, 3),
    Detector("pinecone-key", ("pcsk_", "pclocal_"), WORD, 40, None, 3),
    Detector("fireworks-key", ("fw_",), ALNUM, 22, None, 3),
    Detector("cerebras-key", ("csk-",), ALNUM, 40, None, 3),
    Detector("nvidia-key", ("nvapi-",), URL, 40, None, 3),
    Detector("tavily-key", ("tvly-",), URL, 24, None, 3),
    Detector("firecrawl-key", ("fc-",), HEX, 32, 32, 3),
    Detector("apify-token", ("apify_api_",), ALNUM, 30, None, 3),
    Detector("elevenlabs-key", ("sk_",), HEX, 40, 64, 3),
    Detector("jina-key", ("jina_",), URL, 40, None, 3),
    Detector("together-key", ("tgp_v1_",), URL, 30, None, 3),
    Detector("e-two-b-key", ("e2b_",), HEX, 40, 40, 2.5),
    # Payment: Stripe, Square, PayPal, Braintree, Shopify, Plaid, Razorpay, Adyen, Flutterwave, EasyPost, Shippo …
    Detector(
        "stripe-key", ("sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"), ALNUM, 10, None, 2
    ),
    Detector("stripe-key", ("whsec_",), BASE64, 24, None, 2.5),
    Detector("square-token", ("sq0atp-", "sq0csp-", "sq0idp-"), URL, 22, None, 3),
    Detector("square-token", ("EAAA",), URL, 56, 63, 3),
    Detector("paypal-token", ("A21AA",), URL, 60, None, 3.5),
    Detector("braintree-token", ("access_token$production$", "access_token$sandbox$"), "0-9a-z$", 40, None, 2.5),
    Detector("shopify-token", ("shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_"), ALNUM, 24, None, 2.5),
    Detector("plaid-token", ("access-sandbox-", "access-development-", "access-production-"), "0-9a-f-", 36, 36, 2.5),
    Detector("razorpay-key", ("rzp_live_", "rzp_test_"), ALNUM, 14, None, 2.5),
    Detector("flutterwave-key", ("FLWSECK-", "FLWSECK_TEST-", "FLWSECK_LIVE-"), URL, 12, None, 2.5),
    Detector("flutterwave-key", ("FLWPUBK-", "FLWPUBK_TEST-"), URL, 12, None, 2.5),
    Detector("easypost-key", ("EZAK", "EZTK"), ALNUM, 54, 54, 3),
    Detector("shippo-token", ("shippo_live_", "shippo_test_"), ALNUM, 40, 40, 2.5),
    Detector("lob-key", ("live_", "test_"), HEX, 35, 35, 2.5),
    Detector("gocardless-token", ("live_", "sandbox_"), URL, 40, 40, 3.5),
    Detector("mollie-key", ("live_", "test_"), ALNUM, 30, 30, 3),
    Detector("duffel-token", ("duffel_test_", "duffel_live_"), "=" + URL, 40, None, 3),
    Detector("paddle-key", ("pdl_live_", "pdl_sdbx_", "pdl_ntfset_"), WORD, 24, None, 3),
    # Messages and mail: Slack, SendGrid, Mailgun, Mailchimp, Brevo, Postmark, Resend, Twilio, MessageBird …
    Detector("sendgrid-key", ("SG.",), DOTTED, 60, None, 3),
    Detector("mailgun-key", ("key-", "pubkey-"), LOWER, 32, 32, 3),
    Detector("brevo-key", ("xkeysib-", "xsmtpsib-"), "0-9A-Za-z-", 60, None, 3),
    Detector("resend-key", ("re_",), WORD, 24, None, 3.5),
    Detector("twilio-key", ("SK",), HEX, 32, 32, 2.5),
    Detector("mandrill-key", ("md-",), URL, 22, 22, 3.5),
    Detector("novu-key", ("nv-",), HEX, 32, 32, 2.5),
    Detector("intercom-token", ("dG9r",), BASE64, 48, 64, 3.5),
    Detector("hubspot-token", ("pat-na1-", "pat-eu1-", "pat-na2-", "pat-ap1-"), "0-9A-Za-z-", 36, 36, 2.5),
    Detector("facebook-token", ("EAA",), ALNUM, 90, None, 3.5),
    Detector("instagram-token", ("IGQV", "IGAA"), URL, 80, None, 3.5),
    Detector("twitter-token", ("AAAAAAAAAAAAAAAAAAAAA",), "A-Za-z0-9%", 60, None, 4),
    Detector("twitch-token", ("oauth:",), LOWER, 30, 30, 3),
    Detector("dropbox-token", ("sl.",), URL, 120, None, 3.5),
    # Desks and tools: Linear, Notion, Postman, Airtable, Asana, Figma, Zapier, Contentful, Typeform, ReadMe …
    Detector("linear-key", ("lin_api_", "lin_oauth_", "lin_wh_"), ALNUM, 30, None, 2.5),
    Detector("notion-token", ("secret_", "ntn_"), ALNUM, 32, None, 3),
    Detector("postman-key", ("PMAK-", "PMAT-"), "0-9A-Za-z-", 24, None, 2.5),
    Detector("airtable-token", ("pat",), "A-Za-z0-9.", 79, 79, 3),
    Detector("figma-token", ("figd_", "figu_", "figo_"), URL, 30, None, 3),
    Detector("contentful-token", ("CFPAT-",), URL, 40, None, 3),
    Detector("typeform-token", ("tfp_",), DOTTED, 40, None, 3),
    Detector("readme-key", ("rdme_",), LOWER, 60, None, 3),
    Detector("frameio-token", ("fio-u-",), "=" + URL, 50, None, 3),
    Detector("storyblok-token", ("sb_pat_",), ALNUM, 24, None, 3),
    Detector("mapbox-token", ("sk.ey", "tk.ey"), DOTTED, 60, None, 3),
    Detector("clickup-token", ("pk_",), "0-9A-Z_", 38, 44, 3),
    Detector("retool-key", ("retool_01",), LOWER, 20, None, 3),
    Detector("adobe-secret", ("p8e-",), "A-Za-z0-9-", 32, 32, 3.5),
    Detector("ionic-token", ("ion_",), LOWER, 42, 42, 3),
    Detector("beamer-key", ("b_",), BASE64 + "_-", 44, 44, 3.5),
    Detector("zuplo-key", ("zpka_",), WORD, 30, None, 3),
    # Many more, each with a prefix that is its own.
    Detector(
        "api-key",
        (
            *("KGAT_", "NF-", "aio_", "ajkey_", "bxt_", "creem_", "crsr_", "ctp_", "ddapp_", "ddp_", "ddw_", "xau_"),
            *("fhb-", "hexpm_", "lip_", "llx-", "m0-", "odt_", "opk_", "pyx-", "rootly_", "salad_cloud_", "sindri_"),
            *("sqco_", "ste-", "thog-secret-", "tly-", "tss_", "ucat_", "unkey_", "esecret_", "BBFF-", "BBUS-"),
        ),
        WORD,
        20,
        None,
        3,
    ),
    Detector(
        "api-key",
        (
            *("AIK_", "AVNS_", "CCDB1_", "JDC_", "Mid-server-", "cfxk_", "cnvca", "dbtc_", "dbtu_", "dnkey-", "figp_"),
            *("lsxs_", "packagist_", "pina_", "rpa_", "sgamp_user_", "shltm_", "signkey-prod-", "sktsec_", "sup_sk_"),
            *("syt_", "tk-us-", "wandb_v1_", "wrkaus-", "AQ.Ab8RN6", "4/0A", "v1.M", "bb_live_", "secret-live-"),
        ),
        URL,
        19,
        None,
        3,
    ),
    Detector("api-key", ("rh-api-", "px-api-", "px-dep-", "pub-c-", "sub-c-"), "0-9a-z-", 36, 36, 3),
    Detector("api-key", ("persona_production_",), "0-9a-f-", 36, 36, 2.5),
    Detector("api-key", ("n8n_api_", "con-", "dtn_", "inc_"), HEX, 64, None, 3),
    Detector("api-key", ("s-s4t2ud-", "s-s4t2af-", "u-s4t2ud-", "u-s4t2af-"), HEX, 64, None, 3),
    Detector("api-key", ("sk_", "sk_car_", "sk_sbox_"), ALNUM, 22, None, 3),
    Detector("api-key", ("live_",), WORD, 24, None, 4),
    Detector("api-key", ("ak-", "sm_aat_", "sm_pat_", "sm_sat_", "endr+"), ALNUM, 16, 22, 3),
    Detector("api-key", ("sec-c-", "pa-", "secret-"), URL, 43, 48, 3.5),
    Detector("api-key", ("hawk.", "VF.", "mlsn.", "mssp.", "1000.", "p.eyJ", "api_live."), DOTTED, 32, None, 3),
    Detector("api-key", ("lmb_", "lma_", "na1.", "cflt", "mb_", "RWRTY0Iy"), BASE64, 43, None, 3.5),
    Detector("api-key", ("$aact_", "tkn.v1_", "configcat-sdk-1/"), BASE64 + "_-", 40, None, 3),
    Detector("api-key", ("os_v2_app_", "gto_", "nsec1", "pts_", "skey_"), LOWER, 19, None, 3),
    Detector("api-key", ("ck_", "cs_"), HEX, 40, 40, 3),
    Detector("api-key", ("QN_", "kit_", "bb_pr_", "bb_ma_", "EXO"), HEX, 24, 32, 3),
    Detector("api-key", ("pk_",), WORD, 34, 41, 3.2),  # Klaviyo's: private, in spite of its name
    Detector("api-key", ("api_",), "A-Za-z0-9.", 45, 45, 3.5),
    Detector("api-key", ("APP_USR-", "TEST-"), "0-9a-f-", 55, None, 3),
    Detector("api-key", ("KEY0", "K10"), WORD + ":", 53, None, 3.5),
    Detector("api-key", ("secret-token:",), DOTTED, 16, None, 3),  # RFC 8959
    Detector("api-key", ("BSA",), ALNUM, 28, 28, 4),  # Brave Search
    Detector("api-key", ("standard_",), HEX, 200, None, 3),  # Appwrite
    Detector("api-key", ("APA91b",), URL, 100, None, 3.5),
    Detector("api-key", ("v2/",), ALNUM, 300, None, 4),
    Detector("api-key", ("AK1",), "A-Za-z0-9/", 50, 56, 3.5),
    Detector("api-key", ("pk.",), ALNUM, 32, 32, 3.5),
    Detector("api-key", ("authress_", "scauth_"), BASE64 + "._-", 60, None, 3.5),
    Detector("api-key", ("base64:",), BASE64, 44, 44, 3.5),  # Laravel's APP_KEY
    Detector("api-key", ("OC|",), "0-9a-f|", 40, None, 3),
    Detector("wallet-key", ("xprv9", "yprv", "zprv", "tprv8"), ALNUM, 100, None, 3.5),
    Detector("swarm-token", ("SWMTKN-1-", "SWMKEY-1-"), BASE64 + "-", 40, None, 3),
    Detector("polar-token", ("polar_oat_", "polar_pat_", "polar_at_"), ALNUM, 30, None, 3),
    # Addresses that hold their own permission: incoming webhooks.
    Detector(
        "slack-webhook",
        tuple(f"hooks.slack.com{s}{where}{s}" for s in ("/", "\\/") for where in ("services", "workflows", "triggers")),
        "+" + PATH,
        20,
        None,
        2.5,
        keep=True,
    ),
    Detector(
        "discord-webhook",
        tuple(f"{host}{s}api{s}webhooks{s}" for host in ("discord.com", "discordapp.com") for s in ("/", "\\/")),
        PATH,
        40,
        None,
        3,
        keep=True,
    ),
    Detector(
        "teams-webhook",
        ("webhook.office.com/webhookb2/", "outlook.office.com/webhook/", "outlook.office365.com/webhook/"),
        PATH,
        60,
        None,
        3,
        keep=True,
    ),
    Detector("zapier-webhook", ("hooks.zapier.com/hooks/catch/",), PATH, 10, None, 2, keep=True),
    Detector("tines-webhook", ("tines.com/webhook/",), PATH, 40, None, 3, keep=True),
    Detector("google-chat-webhook", ("chat.googleapis.com/v1/spaces/",), "?=&%" + PATH, 60, None, 3, keep=True),
    Detector(
        "make-webhook",
        ("hook.eu1.make.com/", "hook.us1.make.com/", "hook.eu2.make.com/"),
        ALNUM,
        24,
        None,
        3,
        keep=True,
    ),
    Detector("pagerduty-url", ("events.pagerduty.com/integration/",), PATH, 24, None, 2.5, keep=True),
    Detector("ifttt-url", ("maker.ifttt.com/trigger/",), PATH, 24, None, 2.5, keep=True),
    # Hashes of passwords: crypt(5), PHC string format, Django's and LDAP's.
    Detector("password-hash", ("$2a$", "$2b$", "$2x$", "$2y$"), "A-Za-z0-9./$", 56, 56, 3),
    Detector(
        "password-hash", ("$1$", "$5$", "$6$", "$8$", "$9$", "$y$", "$7$", "$gy$", "$apr1$", "$wp$"), CRYPT, 24, None, 3
    ),
    Detector("password-hash", ("$P$", "$H$", "$S$", "$A$005$"), CRYPT, 30, None, 3),
    Detector("password-hash", ("$krb5asrep$", "$krb5tgs$"), CRYPT + "@*:_-", 40, None, 3),
    Detector("password-hash", ("aad3b435b51404eeaad3b435b51404ee:",), HEX, 32, 32, 2.5),
    Detector(
        "password-hash", ("$argon2id$", "$argon2i$", "$argon2d$", "$scrypt$", "$pbkdf2"), CRYPT + "-", 24, None, 3
    ),
    Detector("password-hash", ("pbkdf2_sha256$", "pbkdf2_sha1$", "bcrypt_sha256$"), CRYPT, 24, None, 3),
    Detector("password-hash", ("pbkdf2:sha", "scrypt:"), CRYPT + ":", 24, None, 3),
    Detector("password-hash", ("{SSHA}", "{SHA}", "{SSHA256}", "{SSHA512}", "{SMD5}"), BASE64, 20, None, 3),
    Detector("password-hash", ("SCRAM-SHA-256$", "SCRAM-SHA-1$"), CRYPT + ":", 40, None, 3),
)
"""All kinds that begin with a literal. What vendors document of their keys is the source of each line."""
