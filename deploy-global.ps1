# deploy-global.ps1 -Environment production -Region all: the whole platform, or one region of it, on Docker Swarm. The same as `wintrades deploy`.
param(
    [ValidateSet('production', 'staging', 'development')]
    [string] $Environment = 'production',
    [string] $Region = 'all'
)

$ErrorActionPreference = 'Stop'
foreach ($program in 'docker', 'node', 'npm') {
    if (-not (Get-Command $program -ErrorAction SilentlyContinue)) {
        Write-Error "deploy-global: $program is missing on this machine: install it and start again (docs/operations.md)"
        exit 1
    }
}
& (Join-Path $PSScriptRoot 'wintrades.cmd') deploy $Environment $Region @args
exit $LASTEXITCODE
