# Rendered from topology.yml by `wintrades render`: change that.
vcl 4.1;

import directors;

# Whoever is found by name is used once it has said that it may be: its address may be another's by then.
backend default none;
probe ready {
  .request = "GET /health HTTP/1.1" "Host: localhost" "Connection: close";
  .interval = 1s;
  .timeout = 2s;
  .window = 3;
  .threshold = 2;
  .initial = 1;
}
include "origins.vcl";

acl operations {
  "10.80.32.0"/20;
  "localhost";
}

# From a region's own processes; where none is healthy, from those of the next.
sub vcl_init {
  new from_app_us_east = directors.fallback();
  from_app_us_east.add_backend(origin_app_us_east.backend());
  from_app_us_east.add_backend(origin_app_eu_west.backend());
  from_app_us_east.add_backend(origin_app_asia_pacific.backend());
  new from_app_eu_west = directors.fallback();
  from_app_eu_west.add_backend(origin_app_eu_west.backend());
  from_app_eu_west.add_backend(origin_app_us_east.backend());
  from_app_eu_west.add_backend(origin_app_asia_pacific.backend());
  new from_app_asia_pacific = directors.fallback();
  from_app_asia_pacific.add_backend(origin_app_asia_pacific.backend());
  from_app_asia_pacific.add_backend(origin_app_us_east.backend());
  from_app_asia_pacific.add_backend(origin_app_eu_west.backend());
}

sub choose_origin {
  if (req.http.X-WinTrades-Region == "us-east") { set req.backend_hint = from_app_us_east.backend(); }
  elsif (req.http.X-WinTrades-Region == "eu-west") { set req.backend_hint = from_app_eu_west.backend(); }
  elsif (req.http.X-WinTrades-Region == "asia-pacific") { set req.backend_hint = from_app_asia_pacific.backend(); }
  else { set req.backend_hint = from_app_us_east.backend(); }
}

sub vcl_recv {
  if (req.url == "/cache-health") { return (synth(200, "alive")); }
  call choose_origin;
  if (local.socket == "operations") {
    if (client.ip !~ operations) { return (synth(403, "for the operations network alone")); }
    if (req.method == "PURGE") { return (purge); }
    return (synth(405, "PURGE alone"));
  }
  if (req.method != "GET" && req.method != "HEAD") { return (synth(405, "GET or HEAD")); }
  unset req.http.Cookie;
  # What is somebody's is never looked for here, and never kept.
  if (req.http.Authorization || req.http.X-WT-Key || req.http.X-API-Key) { return (pass); }
  set req.http.X-Kind = "none";
  if (req.url ~ "^/assets/") { set req.http.X-Kind = "hashed"; }
  elsif (req.url ~ "^/(index\.html|favicon\.ico|robots\.txt)?(\?|$)") { set req.http.X-Kind = "page"; }
  elsif (req.url ~ "^/(docs|openapi\.json)") { set req.http.X-Kind = "page"; }
  elsif (req.url ~ "^/api/v1/market/") { set req.http.X-Kind = "market"; }
  elsif (req.url ~ "^/api/v1/(instruments|assets|shards)(\?|/|$)") { set req.http.X-Kind = "reference"; }
  if (req.http.X-Kind == "none") { return (pass); }
  return (hash);
}

sub vcl_backend_response {
  # What is kept is better than an error, as long as there is something.
  if (beresp.status >= 500) {
    # Another process may not be in trouble.
    if (beresp.status == 503 && bereq.retries < 2) { return (retry); }
    if (bereq.is_bgfetch) { return (abandon); }
    set beresp.uncacheable = true;
    set beresp.ttl = 0s;
    return (deliver);
  }
  if (bereq.uncacheable || beresp.status != 200) {
    set beresp.uncacheable = true;
    # Without it, requests for one object would wait for each other.
    set beresp.ttl = 10s;
    return (deliver);
  }
  unset beresp.http.Set-Cookie;
  unset beresp.http.X-Request-Id;
  if (bereq.http.X-Kind == "hashed") {
    # A name is a content's for good.
    set beresp.http.Cache-Control = "public, max-age=604800, immutable";
    set beresp.ttl = 7d;
    set beresp.grace = 30d;
  } elsif (bereq.http.X-Kind == "page") {
    set beresp.http.Cache-Control = "no-cache";
    set beresp.ttl = 10s;
    set beresp.grace = 7d;
  } elsif (bereq.http.X-Kind == "market") {
    set beresp.ttl = 1s;
    set beresp.grace = 5s;
  } elsif (bereq.http.X-Kind == "reference") {
    set beresp.ttl = 10s;
    set beresp.grace = 1h;
  }
  set beresp.keep = 0s;
  if (beresp.http.Content-Type ~ "^(text/|application/(json|javascript|manifest))|^image/svg") { set beresp.do_gzip = true; }
  return (deliver);
}

sub vcl_backend_error {
  if (bereq.retries < 2) { return (retry); }
  if (bereq.is_bgfetch) { return (abandon); }
}

sub vcl_deliver {
  if (obj.hits > 0) { set resp.http.X-Cache = "hit"; } else { set resp.http.X-Cache = "miss"; }
  unset resp.http.X-Varnish;
  unset resp.http.Via;
}

sub vcl_synth {
  set resp.http.Content-Type = "text/plain; charset=utf-8";
  set resp.body = resp.reason;
  return (deliver);
}
